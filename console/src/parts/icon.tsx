// Small pictures, drawn with the colour of the text around them. They say nothing that the text does not.
const PATHS = {
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4.5 4.5",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8.5c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "m6.5 6.5 11 11m0-11-11 11",
  pause: "M9 6v12m6-12v12",
  play: "m8 5.5 10 6.5-10 6.5v-13Z",
  clock: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7.5V12l3 2",
  spin: "M12 3.5a8.5 8.5 0 1 0 8.5 8.5",
  warn: "M12 4 3 19.5h18L12 4Zm0 5.5v4.5m0 2.5v.5",
  up: "M7 12.5 12 7.5l5 5M7 18l5-5 5 5",
  left: "m14.5 6-6 6 6 6",
  right: "m9.5 6 6 6-6 6",
  undo: "M8.5 5 4 9.5 8.5 14M4.5 9.5H14a5.5 5.5 0 0 1 0 11h-3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  change: "M4.5 9.5h14l-4-4m5 9h-14l4 4",
  fit: "M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5",
  download: "M12 4v11m-4.5-4 4.5 4.5 4.5-4.5M5 20h14",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <rect width="24" height="24" rx="6" fill="#3550d8" />
      <path
        d="M7 11.5 12 6.5l5 5M7 17.5l5-5 5 5"
        fill="none"
        stroke="#fff"
        stroke-width="2.2"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
