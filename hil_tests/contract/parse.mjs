// Has AsyncAPI's own parser read a document: writes {diagnostics, document} as JSON, the references resolved.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
const told = diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path, message }));
process.stdout.write(JSON.stringify({ diagnostics: told, document: document ? document.json() : null }));
