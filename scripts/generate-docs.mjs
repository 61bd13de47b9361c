#!/usr/bin/env node
/** Writes the pages of docs/ that are generated from code: `npm run generate:docs`, which builds first. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { errorGuide } from '../dist/error-guide.js';
import { errorCodes, retryability } from '../dist/errors.js';
import { statusOfCode } from '../dist/faces/grpc/errors.js';
import { errorsPage } from './errors-page.mjs';

const statusName = (code) => status[statusOfCode[code]];
const page = errorsPage({ errorCodes, errorGuide, retryability, statusName });
writeFileSync(join(fileURLToPath(new URL('..', import.meta.url)), 'docs/errors.md'), page);
