// Starts the page.
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/table.css";
import "./styles/screens.css";
import "./styles/diagram.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { applyLanguage, preferredLanguage } from "./texts/index.ts";
import { applyTheme } from "./theme.ts";

applyTheme();
await applyLanguage(preferredLanguage()).catch(() => undefined); // English, if the texts do not load
const place = document.getElementById("console");
if (place) render(<App />, place);
