/** Writes docs/settings.md from the table of settings. Usage: npx tsx scripts/gen-settings.ts */

import { writeFileSync } from 'node:fs';
import { settingsDocument } from '../src/config/document.ts';

writeFileSync(new URL('../docs/settings.md', import.meta.url), settingsDocument());
