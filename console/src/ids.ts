// Ids in texts that people paste.
const UUID = /^(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

// The UUID that a text is, in lower case with hyphens; null if it is none.
export function uuidIn(text: string): string | null {
  const match = UUID.exec(text.trim());
  return match ? match.slice(1).join("-").toLowerCase() : null;
}

// The UUIDs in a text, such as a column of a table, each once, and the words that are none.
export function uuidsIn(text: string): { ids: string[]; others: string[] } {
  const words = text.split(/[\s,;"']+/).filter(Boolean);
  const ids = new Set<string>();
  const others: string[] = [];
  for (const word of words) {
    const id = uuidIn(word);
    if (id) ids.add(id);
    else others.push(word);
  }
  return { ids: [...ids], others };
}

// A new random id. crypto.randomUUID() is missing where a page is served without TLS.
export function randomUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return uuidIn(hex) ?? hex;
}
