// Reads messages of the contract with nothing but Node: written from docs/contract/README.md, sharing no code with it.
//
//   node decode.mjs KEYS.json < MESSAGES
//
// KEYS.json maps key ids to {"public": hex}; each line of MESSAGES is a message in hex. Each line of the answer is
// {"header", "meaning", "rows"} or {"refused": why}; schemas may come after the segments that name them.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const LIMIT = 256 * 1024, DEPTH = 8, ENTRIES = 131072, INFLATED = 1 << 20, CELLS = 1_000_000, CHANNELS = 4096;
const MAX63 = (1n << 63n) - 1n, BOUND = 1n << 64n;

class Refused extends Error {}
const want = (so, what) => { if (!so) throw new Refused(what); };
const bytes = (value, count) => value instanceof Uint8Array && (count === undefined || value.length === count);
const hex = (value) => Buffer.from(value).toString('hex');

// ---- CBOR: whole numbers are BigInt, byte strings Uint8Array, maps Map ----

class Reader {
  constructor(data) { this.data = data; this.at = 0; this.room = ENTRIES; }

  take(count) {
    want(count <= BigInt(this.data.length - this.at), 'CBOR is cut short');
    const taken = this.data.subarray(this.at, this.at + Number(count));
    this.at += Number(count);
    return taken;
  }

  argument(info) {
    if (info < 24) return BigInt(info);
    want(info < 28, 'an indefinite or reserved length');
    let value = 0n;
    for (const each of this.take(BigInt(1 << (info - 24)))) value = (value << 8n) | BigInt(each);
    want(value >= [24n, 1n << 8n, 1n << 16n, 1n << 32n][info - 24], 'a number is not in its shortest form');
    return value;
  }

  item(depth) {
    const initial = this.take(1n)[0], major = initial >> 5, info = initial & 31;
    if (major === 7) {
      want(info >= 20 && info <= 22, 'a float or a simple value');
      return [false, true, null][info - 20];
    }
    want(major !== 6, 'a tag');
    const count = this.argument(info);
    if (major === 0) return count;
    if (major === 1) return -1n - count;
    if (major === 2) return this.take(count);
    if (major === 3) return text(this.take(count));
    want(depth > 0, 'nested too deeply');
    const entries = count * (major === 5 ? 2n : 1n);
    want(entries <= BigInt(this.data.length - this.at), 'more entries claimed than bytes are left');
    this.room -= Number(entries);
    want(this.room >= 0, 'too many entries');
    return major === 4 ? Array.from({ length: Number(count) }, () => this.item(depth - 1)) : this.map(count, depth - 1);
  }

  map(count, depth) {
    const found = new Map();
    let last = null;
    for (let number = 0n; number < count; number++) {
      const start = this.at, key = this.item(0);
      want(typeof key === 'bigint' || typeof key === 'string', 'a key is neither a whole number nor a text');
      const encoded = this.data.subarray(start, this.at);
      want(last === null || Buffer.compare(last, encoded) < 0, 'a key comes twice or out of order');
      last = encoded;
      found.set(key, this.item(depth));
    }
    return found;
  }
}

function text(data) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Refused('a text is not UTF-8');
  }
}

function decode(data, depth = DEPTH) {
  const reader = new Reader(data), value = reader.item(depth);
  want(reader.at === data.length, 'bytes follow');
  return value;
}

function head(major, length) {
  if (length < 24) return [(major << 5) | length];
  if (length < 256) return [(major << 5) | 24, length];
  if (length < 65536) return [(major << 5) | 25, length >> 8, length & 255];
  return [(major << 5) | 26, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
}
const textOf = (value) => { const data = Buffer.from(value); return Buffer.concat([Buffer.from(head(3, data.length)), data]); };
const octets = (data) => Buffer.concat([Buffer.from(head(2, data.length)), data]);
const array = (...items) => Buffer.concat([Buffer.from(head(4, items.length)), ...items]);

// ---- The envelope ----

function verified(message, keys) {
  want(message.length <= LIMIT, 'too large');
  want(message[0] === 0xd2, 'no COSE_Sign1');
  const parts = decode(message.subarray(1));
  want(Array.isArray(parts) && parts.length === 4, 'four parts are wanted');
  const [protectedBytes, unprotected, payload, signature] = parts;
  want(unprotected instanceof Map && unprotected.size === 0, 'the unprotected header is not empty');
  want(bytes(protectedBytes) && bytes(payload) && bytes(signature, 64), 'byte strings are wanted');
  const labels = decode(protectedBytes);
  want(labels instanceof Map && labels.size === 4, 'four labels are wanted');
  want(labels.get(1n) === -8n, 'the algorithm is not EdDSA');
  const content = labels.get(3n), keyId = labels.get(4n), place = labels.get(-65537n);
  want(typeof content === 'string' && /^gw\/[a-z][a-z-]*;v=[1-9][0-9]*$/.test(content), 'no content type');
  want(bytes(keyId) && keyId.length >= 1 && keyId.length <= 64, 'no key id');
  want(Array.isArray(place) && place.length === 6, 'no place');
  const [gateway, stream, epoch, sequence, previous, schema] = place;
  want(typeof gateway === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(gateway), 'no gateway');
  want(typeof stream === 'string' && stream.length <= 32
    && /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*){0,2}$/.test(stream), 'no stream');
  want(bytes(epoch, 8), 'no epoch');
  want(typeof sequence === 'bigint' && sequence >= 1n && sequence <= MAX63, 'no sequence');
  want(previous === null || bytes(previous, 32), 'no previous');
  want(schema === null || bytes(schema, 8), 'no schema id');
  const key = keys.get(Buffer.from(keyId).toString('latin1'));
  want(key !== undefined, 'the key is not trusted');
  const external = array(textOf('gw/v1'), textOf(gateway), textOf(stream));
  const signed = array(textOf('Signature1'), octets(protectedBytes), octets(external), octets(payload));
  want(verify(null, signed, key, signature), 'the signature is wrong');
  const header = {
    key_id: text(keyId), content, gateway, stream, epoch: hex(epoch), sequence,
    previous: previous === null ? null : hex(previous), schema: schema === null ? null : hex(schema),
  };
  return { header, payload };
}

// ---- Schema and segment ----

function readSchema(payload) {
  const document = decode(payload);
  want(Array.isArray(document) && document.length === 2 && document[0] === 1n, 'a schema of another version');
  want(Array.isArray(document[1]) && document[1].length <= CHANNELS, 'no channels');
  const channels = document[1].map((row) => {
    want(Array.isArray(row) && row.length === 9, 'a channel has nine fields');
    const [name, device, group, quantity, unit, exponent, is_text, obis, phase] = row;
    for (const each of [name, device, group, quantity, unit]) want(typeof each === 'string', 'a text is wanted');
    want(typeof exponent === 'bigint' && exponent >= -18n && exponent <= 18n, 'no exponent');
    want(typeof is_text === 'boolean', 'no is_text');
    want(obis === null || typeof obis === 'string', 'no obis');
    want(phase === null || (phase >= 1n && phase <= 3n), 'no phase');
    return { name, device, group, quantity, unit, exponent, is_text, obis, phase };
  });
  want(new Set(channels.map((each) => each.name)).size === channels.length, 'a name comes twice');
  const id = createHash('sha256').update(payload).digest().subarray(0, 8).toString('hex');
  return { id, channels, groups: [...new Set(channels.map((each) => each.group))] };
}

class Numbers {
  constructor(data) {
    this.all = [];
    this.at = 0;
    let value = 0n, shift = 0n;
    for (const each of data) {
      value |= BigInt(each & 127) << shift;
      if (each & 128) {
        shift += 7n;
        want(shift < 70n, 'a varint of more than 10 bytes');
      } else {
        want(each !== 0 || shift === 0n, 'a varint is longer than it needs to be');
        this.all.push(value);
        value = shift = 0n;
      }
    }
    want(shift === 0n, 'a varint is cut short');
  }

  take(count) {
    want(this.all.length - this.at >= count, 'too few numbers');
    this.at += count;
    return this.all.slice(this.at - count, this.at);
  }

  signed(count) { return this.take(count).map((z) => (z & 1n ? -(z + 1n) / 2n : z / 2n)); }
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0n);
const running = (first, steps) => { const all = [first]; for (const step of steps) all.push(all.at(-1) + step); return all; };
const counted = (value, most) => {
  want(typeof value === 'bigint' && value >= 1n && value <= BigInt(most), 'a count is out of bounds');
  return Number(value);
};

function readForm(form, k, isText, numbers) {
  want(k >= 1, 'a column that was never read');
  const one = (value) => {
    want(isText ? typeof value === 'string' : typeof value === 'bigint', 'a value of the wrong kind');
    want(isText ? Buffer.byteLength(value) <= 1024 : value > -BOUND && value < BOUND, 'a value out of bounds');
    return value;
  };
  if (!Array.isArray(form)) return Array(k).fill(one(form));
  want(form.length === 1 || form.length === 2, 'a form that is unknown');
  const [first] = form;
  if (form.length === 1) {
    want(typeof first === 'bigint', 'steps begin with a whole number');
    return running(first, numbers.signed(k - 1)).map(one);
  }
  const changes = counted(form[1], k - 1);
  const lengths = numbers.take(changes).map((gap) => gap + 1n);
  const last = BigInt(k) - sum(lengths);
  want(last >= 1n, 'changes lie beyond the ticks');
  let values;
  if (Array.isArray(first)) {
    want(first.length >= 1, 'no texts');
    const texts = first.map(one);
    values = [0n, ...numbers.take(changes)].map((index) => {
      want(index < BigInt(texts.length), 'an index beyond the texts');
      return texts[Number(index)];
    });
  } else {
    want(typeof first === 'bigint', 'changes begin with a whole number');
    values = running(first, numbers.signed(changes)).map(one);
  }
  return values.flatMap((value, number) => Array(Number([...lengths.slice(number, number + 1), last][0])).fill(value));
}

function readColumn(column, ticks, isText, numbers) {
  if (!(column instanceof Map)) return { values: readForm(column, ticks, isText, numbers), quality: null };
  want(column.has(0n) && column.size >= 2, 'a map without a form, or without a need');
  for (const key of column.keys()) want(key === 0n || key === 1n || key === 2n, 'a key that is unknown');
  let runs = [BigInt(ticks)];
  if (column.has(1n)) {
    runs = numbers.take(counted(column.get(1n), ticks + 1));
    want(sum(runs) === BigInt(ticks) && !runs.slice(1).includes(0n), 'runs that do not match the ticks');
  }
  const k = Number(sum(runs.filter((_, number) => number % 2 === 0)));
  let doubts = null;
  if (column.has(2n)) {
    const pairs = numbers.take(2 * counted(column.get(2n), k));
    const lengths = pairs.filter((_, number) => number % 2 === 1);
    want(sum(lengths) === BigInt(k) && !lengths.includes(0n), 'quality that does not match the ticks');
    doubts = lengths.flatMap((length, number) => {
      want(pairs[2 * number] <= 15n, 'a quality that is unknown');
      return Array(Number(length)).fill(pairs[2 * number]);
    });
  }
  const read = readForm(column.get(0n), k, isText, numbers);
  const values = [], quality = [];
  let at = 0;
  runs.forEach((length, number) => {
    for (let each = 0n; each < length; each++) {
      values.push(number % 2 === 0 ? read[at] : null);
      quality.push(number % 2 === 0 && doubts !== null ? doubts[at] : 0n);
      at += number % 2 === 0 ? 1 : 0;
    }
  });
  return { values, quality: doubts === null ? null : quality };
}

function inflated(payload) {
  try {
    // `info` gives the engine too: how much of the input it has used tells whether anything follows.
    const { buffer, engine } = inflateRawSync(payload, { maxOutputLength: INFLATED, info: true });
    want(engine.bytesWritten === payload.length, 'bytes follow what was compressed');
    return buffer;
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(`not deflate, or too large: ${error.message}`);
  }
}

function readSegment(payload, schema) {
  const document = decode(inflated(payload));
  want(Array.isArray(document) && document.length === 5 && document[0] === 1n, 'a segment of another version');
  const [, bootId, start, groups, octetsOfNumbers] = document;
  want(bytes(bootId, 16) && typeof start === 'bigint' && bytes(octetsOfNumbers), 'no segment');
  want(Array.isArray(groups) && groups.length >= 1, 'no groups');
  const numbers = new Numbers(octetsOfNumbers);
  const told = {}, rows = [];
  let room = CELLS;
  for (const group of groups) {
    want(Array.isArray(group) && group.length === 4, 'a group has four parts');
    const [number, first, count, columns] = group;
    want(typeof number === 'bigint' && number >= 0n && number < BigInt(schema.groups.length), 'a group that is unknown');
    const name = schema.groups[Number(number)];
    want(!Object.hasOwn(told, name), 'a group comes twice');
    want(typeof first === 'bigint' && Array.isArray(columns), 'no ticks or columns');
    const ticks = counted(count, CELLS);
    room -= ticks * Math.max(1, columns.length);
    want(room >= 0, 'too many values');
    const times = running(start + first, running(0n, numbers.signed(ticks - 1)).slice(1));
    for (const each of times) want(each >= 0n && each <= MAX63, 'a tick is no boot time');
    const channels = running(-1n, numbers.take(columns.length).map((gap) => gap + 1n)).slice(1);
    const table = (told[name] = { ticks: times, columns: {}, quality: {} });
    columns.forEach((column, place) => {
      const channel = schema.channels[Number(channels[place])];
      want(channels[place] < BigInt(schema.channels.length) && channel.group === name, 'a channel of another group');
      const { values, quality } = readColumn(column, ticks, channel.is_text, numbers);
      table.columns[channel.name] = values;
      if (quality !== null) table.quality[channel.name] = quality;
      values.forEach((value, tick) => {
        if (value !== null) rows.push([channel.name, times[tick], value, quality === null ? 0n : quality[tick]]);
      });
    });
  }
  want(numbers.at === numbers.all.length, 'numbers are left');
  return { meaning: { boot_id: hex(bootId), groups: told }, rows };
}

// ---- All other messages: fields by key, as the table of the contract has them ----

const FIELDS = {
  'gw/birth;v=1': 'version boot_id boot_nonce epoch schema? clock capabilities inventory',
  'gw/clock;v=1': 'boot_id boot_ms utc_ms uncertainty_ms source',
  'gw/dropped;v=1': 'epoch stream first last count first_ms last_ms last_digest reason',
  'gw/alarm;v=1': 'kind text boot_ms utc_ms?',
  'gw/time-request;v=1': 'nonce',
  'gw/answer;v=1': 'command_id state reason? boot_ms utc_ms? detail',
  'gw/command;v=1': 'id operation target magnitude_percent start_utc_ms? duration_s? priority issued_utc_ms'
    + ' expires_utc_ms boot_nonce? refers_to?',
  'gw/receipt;v=1': 'epoch stream upto ranges',
  'gw/resend;v=1': 'epoch stream first last',
  'gw/heartbeat;v=1': 'boot_nonce',
  'gw/time;v=1': 'nonce utc_ms',
  'gw/enrolment;v=1': 'csr public',
  'gw/renewal;v=1': 'request',
  'gw/certificate;v=1': 'key signing certificates refused?',
};
const NONCES = new Set(['boot_nonce', 'nonce']);

function readFields(content, payload) {
  want(Object.hasOwn(FIELDS, content), `${content} is not known here: update this reader`);
  const found = decode(payload), names = FIELDS[content].split(' '), told = {};
  want(found instanceof Map, 'a map is wanted');
  for (const key of found.keys()) {
    want(typeof key === 'bigint' && key >= 1n && key <= BigInt(names.length), 'a field that is unknown');
  }
  names.forEach((name, number) => {
    const bare = name.replace('?', ''), value = found.get(BigInt(number + 1));
    want(value !== undefined || name.endsWith('?'), `${bare} is missing`);
    if (NONCES.has(bare) && value !== undefined) {
      want(bytes(value) && value.length >= 8 && value.length <= 32, `${bare} is none`);
    }
    if (value !== undefined) told[bare] = value;
  });
  return told;
}

// ---- The program ----

function json(value) {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return JSON.stringify(hex(value));
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (value instanceof Map) return json(Object.fromEntries(value));
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}:${json(each)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

const trusted = new Map(Object.entries(JSON.parse(readFileSync(process.argv[2], 'utf8'))).map(([id, key]) => [
  id,
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.public, 'hex').toString('base64url') },
    format: 'jwk',
  }),
]));

const attempt = (work) => { try { return work(); } catch (error) { if (error instanceof Refused) return { refused: error.message }; throw error; } };
const opened = readFileSync(0, 'utf8').split('\n').filter((line) => line !== '')
  .map((line) => attempt(() => verified(Buffer.from(line, 'hex'), trusted)));

const schemas = new Map();
for (const each of opened) {
  if (each.header?.content === 'gw/schema;v=1') {
    const schema = attempt(() => readSchema(each.payload));
    if (schema.id !== undefined) schemas.set(schema.id, schema);
  }
}

for (const each of opened) {
  const told = each.refused !== undefined ? each : attempt(() => {
    const { header, payload } = each;
    if (header.content === 'gw/schema;v=1') {
      const { id, channels } = readSchema(payload);
      want(id === header.schema, 'a schema under another id');
      return { header, meaning: { id, channels } };
    }
    if (header.content === 'gw/segment;v=1') {
      want(schemas.has(header.schema), 'its schema has not come yet: keep it');
      return { header, ...readSegment(payload, schemas.get(header.schema)) };
    }
    return { header, meaning: readFields(header.content, payload) };
  });
  process.stdout.write(`${json(told)}\n`);
}
