#!/usr/bin/env node
// A second reader of the contract between building gateways and the centre, with nothing but Node. It was written from
// docs/contract alone, by somebody who had not seen the code; where the documents were mended since, it followed them.
//
//   node reader.mjs KEYS.json < MESSAGES
//
// KEYS.json is such as docs/contract/examples/keys.json; MESSAGES are one a line, in hex. For each it prints a line of
// JSON: {"header", "meaning"}, of a segment "rows" too; {"refused": why, "fails": which check}; or, of a sound segment
// whose schema is not among the messages, {"header", "waiting": schema id}. It judges messages one by one: topics, and the
// order and chain of messages (check 6), are not its question.
// Names in quotation marks in the comments are headings of README.md. Whole numbers are BigInt throughout.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

class Refused extends Error {}
function need(condition, why) {
  if (!condition) throw new Refused(why);
}

// "Checking a message": whatever is refused in there fails that check.
function check(fails, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused) error.fails ??= fails;
    throw error;
  }
}

// ---- "Bounds" ----

const KIB = 1024;
const MAX_MESSAGE = 256 * KIB;
const MAX_MESSAGE_ON = new Map([['cmd', 4096], ['receipt', 16 * KIB], ['cfg', 16 * KIB]]); // "Checking a message", 1
const MAX_DEPTH = 8;
const MAX_ENTRIES = 131072;
const MAX_INFLATED = 1024 * KIB;
const MAX_VALUES = 1000000n; // a group without columns counts as one of one column
const MAX_CHANNELS = 4096;
const UINT63 = 2n ** 63n - 1n;
const VALUE = 2n ** 64n - 1n;

// ---- "CBOR" ----
// Everything that would be encoded otherwise is refused while it is read: what is left can be encoded in one way only.

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Cbor {
  // Depth and entries are counted for each encoding by itself.
  constructor(bytes, what) {
    Object.assign(this, { bytes, what, at: 0, left: BigInt(MAX_ENTRIES) });
  }

  // The one item that the bytes hold; nothing behind it.
  static decode(bytes, what) {
    const reader = new Cbor(bytes, what);
    const item = reader.item(0);
    need(reader.at === bytes.length, `${what}: bytes behind its end`);
    return item;
  }

  take(length) {
    need(length <= BigInt(this.bytes.length - this.at), `${this.what}: ends too early`);
    this.at += Number(length);
    return this.bytes.subarray(this.at - Number(length), this.at);
  }

  // The number or length in a head, in its shortest form.
  argument(info) {
    if (info < 24) return BigInt(info);
    need(info < 28, `${this.what}: indefinite length or reserved form`);
    const size = 1 << (info - 24);
    const value = BigInt('0x' + this.take(BigInt(size)).toString('hex'));
    const least = size === 1 ? 24n : 1n << BigInt(size * 4);
    need(value >= least, `${this.what}: a number or length not in its shortest form`);
    return value;
  }

  item(depth) {
    const [head] = this.take(1n);
    const major = head >> 5;
    const info = head & 31;
    if (major === 7) {
      need(info >= 20 && info <= 22, `${this.what}: a float or simple value`);
      return [false, true, null][info - 20];
    }
    need(major !== 6, `${this.what}: a tag`);
    const argument = this.argument(info);
    switch (major) {
      case 0: return argument;
      case 1: return -1n - argument;
      case 2: return this.take(argument);
      case 3: return this.text(argument);
      case 4: return this.array(argument, depth + 1);
      default: return this.map(argument, depth + 1);
    }
  }

  text(length) {
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new Refused(`${this.what}: a text that is not UTF-8`);
    }
  }

  spend(entries, depth) {
    need(depth <= MAX_DEPTH, `${this.what}: too deep`);
    need(entries <= this.left, `${this.what}: too many entries`);
    this.left -= entries;
  }

  array(length, depth) {
    this.spend(length, depth);
    const items = [];
    for (let i = 0n; i < length; i++) items.push(this.item(depth));
    return items;
  }

  map(length, depth) {
    this.spend(2n * length, depth); // keys and values
    const map = new Map();
    let before = null;
    for (let i = 0n; i < length; i++) {
      const start = this.at;
      const key = this.item(depth);
      need(typeof key === 'bigint' || typeof key === 'string', `${this.what}: a key that is neither whole number nor text`);
      const encoded = this.bytes.subarray(start, this.at);
      need(before === null || Buffer.compare(before, encoded) < 0, `${this.what}: keys of a map out of order, or twice`);
      before = encoded;
      map.set(key, this.item(depth));
    }
    return map;
  }
}

// The head of a byte string or text, for what is signed.
function head(major, length) {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 0x100) return Buffer.from([(major << 5) | 24, length]);
  if (length < 0x10000) return Buffer.from([(major << 5) | 25, length >> 8, length & 255]);
  const bytes = Buffer.from([(major << 5) | 26, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}
const encodeBytes = (bytes) => Buffer.concat([head(2, bytes.length), bytes]);
const encodeText = (text) => Buffer.concat([head(3, Buffer.byteLength(text)), Buffer.from(text)]);

// ---- Checks of single values: each takes what was decoded, and returns what the JSON shows ----

const isBytes = (value) => Buffer.isBuffer(value);
const hex = (bytes) => bytes.toString('hex');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

// "Messages": texts are counted in characters, and hold no controls, ends of lines, changes of direction.
const FORBIDDEN = /[\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]/u;

const text = (least, most) => (value, what) => {
  need(typeof value === 'string', `${what}: not a text`);
  const length = [...value].length;
  need(length >= least && length <= most, `${what}: ${length} characters`);
  need(!FORBIDDEN.test(value), `${what}: a control character`);
  return value;
};

const bytes = (least, most = least) => (value, what) => {
  need(isBytes(value), `${what}: not a byte string`);
  need(value.length >= least && value.length <= most, `${what}: ${value.length} bytes`);
  return hex(value);
};

const integer = (least, most) => (value, what) => {
  need(typeof value === 'bigint', `${what}: not a whole number`);
  need(value >= least && value <= most, `${what}: ${value} is out of bounds`);
  return value;
};

const array = (item, most) => (value, what) => {
  need(Array.isArray(value), `${what}: not an array`);
  need(value.length <= most, `${what}: ${value.length} entries`);
  return value.map((entry, i) => item(entry, `${what}[${i}]`));
};

const orNull = (check) => (value, what) => (value === null ? null : check(value, what));

const truth = (value, what) => {
  need(typeof value === 'boolean', `${what}: not a truth`);
  return value;
};

const uint63 = integer(0n, UINT63);
const int64 = integer(-UINT63, UINT63);
const number = integer(1n, UINT63); // a sequence number
const epoch = bytes(8);
const schemaId = bytes(8);
const bootId = bytes(16);
const nonce = bytes(8, 32);
const digest = bytes(32);
const commandId = text(1, 64);

const STREAM = /^[a-z][a-z0-9-]*([.][a-z0-9][a-z0-9-]*){0,2}$/;
function streamName(value, what) {
  need(typeof value === 'string' && value.length <= 32 && STREAM.test(value), `${what}: no name of a stream`);
  return value;
}

// The detail of an answer: names to numbers, texts, truths, or arrays of these.
function scalar(value, what) {
  if (typeof value === 'bigint') return int64(value, what);
  if (typeof value === 'string') return text(0, 256)(value, what);
  return truth(value, what);
}

function detail(value, what) {
  need(value instanceof Map, `${what}: not a map`);
  need(value.size <= 32, `${what}: ${value.size} names`);
  for (const [name, entry] of value) {
    text(1, 32)(name, `${what}: a name`);
    if (Array.isArray(entry)) array(scalar, 64)(entry, `${what}.${name}`);
    else scalar(entry, `${what}.${name}`);
  }
  return value;
}

function range(value, what) {
  need(Array.isArray(value) && value.length === 2, `${what}: not [first, last]`);
  return value.map((entry) => number(entry, what));
}

function notBefore({ first, last }) {
  need(first <= last, 'last is before first');
}

// "Messages": ranges rise, and none touches the one before it, the first one not upto.
function rangesRise({ upto, ranges }) {
  let before = upto;
  for (const [first, last] of ranges) {
    need(first > before + 1n && first <= last, 'ranges: not rising, or touching');
    before = last;
  }
}

function certificatesOrWhy({ certificates, refused }) {
  need((certificates.length > 0) === (refused === undefined), 'certificates, or why there are none: one of both');
}

// ---- "Messages": of each content its streams, whether it is chained, and the fields of its payload ----

const DWELLING = '[.][a-z0-9][a-z0-9-]{0,11}[.][a-z0-9][a-z0-9-]{0,10}'; // "Streams, chains, receipts": Dwellings
const only = (name) => new RegExp(`^${name}$`);
const field = (name, check) => ({ name, check });
const maybe = (name, check) => ({ name, check, optional: true });

const CONTENTS = {
  'gw/segment;v=1': { stream: new RegExp(`^(fine|minute|index)(${DWELLING})?$`), chained: true, schema: true },
  'gw/schema;v=1': { stream: new RegExp(`^schema(${DWELLING})?$`), chained: true, schema: true },
  'gw/birth;v=1': {
    stream: only('state'),
    fields: {
      1: field('version', text(1, 32)),
      2: field('boot_id', bootId),
      3: field('boot_nonce', nonce),
      4: field('epoch', epoch),
      5: maybe('schema', schemaId),
      6: field('clock', text(0, 64)),
      7: field('capabilities', array(text(1, 64), 64)),
      8: field('inventory', array(text(1, 256), 512)),
    },
  },
  'gw/clock;v=1': {
    stream: only('clock'),
    chained: true,
    fields: {
      1: field('boot_id', bootId),
      2: field('boot_ms', uint63),
      3: field('utc_ms', uint63),
      4: field('uncertainty_ms', uint63),
      5: field('source', text(1, 32)),
    },
  },
  'gw/dropped;v=1': {
    stream: only('dropped'),
    chained: true,
    fields: {
      1: field('epoch', epoch),
      2: field('stream', streamName),
      3: field('first', number),
      4: field('last', number),
      5: field('count', uint63),
      6: field('first_ms', uint63),
      7: field('last_ms', uint63),
      8: field('last_digest', digest),
      9: field('reason', text(1, 32)),
    },
    whole: notBefore,
  },
  'gw/alarm;v=1': {
    stream: only('(alarm|evt)'), // chained in `alarm`, single in `evt`
    chained: (stream) => stream === 'alarm',
    fields: {
      1: field('kind', text(1, 32)),
      2: field('text', text(0, 512)),
      3: field('boot_ms', uint63),
      4: maybe('utc_ms', uint63),
    },
  },
  'gw/time-request;v=1': { stream: only('evt'), fields: { 1: field('nonce', nonce) } },
  'gw/answer;v=1': {
    stream: only('ack'),
    chained: true,
    fields: {
      1: field('command_id', commandId),
      2: field('state', text(1, 32)),
      3: maybe('reason', text(0, 256)),
      4: field('boot_ms', uint63),
      5: maybe('utc_ms', uint63),
      6: field('detail', detail),
    },
  },
  'gw/command;v=1': {
    stream: only('cmd'),
    fields: {
      1: field('id', commandId),
      2: field('operation', text(1, 16)),
      3: field('target', text(1, 64)),
      4: field('magnitude_percent', integer(-1000n, 1000n)),
      5: maybe('start_utc_ms', uint63),
      6: maybe('duration_s', int64),
      7: field('priority', integer(0n, 15n)),
      8: field('issued_utc_ms', uint63),
      9: field('expires_utc_ms', uint63),
      10: maybe('boot_nonce', nonce),
      11: maybe('refers_to', commandId),
    },
  },
  'gw/receipt;v=1': {
    stream: only('receipt'),
    fields: {
      1: field('epoch', epoch),
      2: field('stream', streamName),
      3: field('upto', uint63),
      4: field('ranges', array(range, 1024)),
    },
    whole: rangesRise,
  },
  'gw/resend;v=1': {
    stream: only('receipt'),
    fields: {
      1: field('epoch', epoch),
      2: field('stream', streamName),
      3: field('first', number),
      4: field('last', number),
    },
    whole: notBefore,
  },
  'gw/heartbeat;v=1': { stream: only('receipt'), fields: { 1: field('boot_nonce', nonce) } },
  'gw/time;v=1': { stream: only('receipt'), fields: { 1: field('nonce', nonce), 2: field('utc_ms', uint63) } },
  'gw/enrolment;v=1': { stream: only('enrolment'), fields: { 1: field('csr', bytes(64, 4096)), 2: field('public', bytes(32)) } },
  'gw/renewal;v=1': { stream: only('evt'), fields: { 1: field('request', bytes(64, 8192)) } },
  'gw/certificate;v=1': {
    stream: only('cfg'),
    fields: {
      1: field('key', bytes(32)),
      2: field('signing', bytes(1, 64)),
      3: field('certificates', array(bytes(64, 8192), 8)),
      4: maybe('refused', text(1, 256)),
    },
    whole: certificatesOrWhy,
  },
};

// A key that is not listed is refused, so is a missing one, unless it is optional.
function readFields({ fields, whole }, payload) {
  const map = Cbor.decode(payload, 'payload');
  need(map instanceof Map, 'payload: not a map');
  for (const key of map.keys()) need(typeof key === 'bigint' && fields[key], `payload: unknown key ${key}`);
  const meaning = {};
  for (const [key, { name, check, optional }] of Object.entries(fields)) {
    const present = map.has(BigInt(key));
    need(present || optional, `payload: ${name} is missing`);
    if (present) meaning[name] = check(map.get(BigInt(key)), name);
  }
  whole?.(meaning);
  return meaning;
}

// ---- "Schema" ----

const name = text(1, 128);
const CHANNEL = Object.entries({
  name,
  device: name,
  group: name,
  quantity: name,
  unit: text(0, 128),
  exponent: integer(-18n, 18n),
  is_text: truth,
  obis: orNull(name),
  phase: orNull(integer(1n, 3n)),
});

function channel(value, what) {
  need(Array.isArray(value) && value.length === CHANNEL.length, `${what}: not an array of ${CHANNEL.length}`);
  return Object.fromEntries(CHANNEL.map(([part, check], i) => [part, check(value[i], `${what}.${part}`)]));
}

function readSchema(payload) {
  const schema = Cbor.decode(payload, 'payload');
  need(Array.isArray(schema) && schema.length === 2 && schema[0] === 1n, 'payload: not [1, channels]');
  const channels = array(channel, MAX_CHANNELS)(schema[1], 'channels');
  need(new Set(channels.map((c) => c.name)).size === channels.length, 'channels: a name twice');
  return { id: hex(sha256(payload).subarray(0, 8)), channels };
}

// Groups are numbered in the order in which they first appear among the channels.
const groupNames = (channels) => [...new Set(channels.map((c) => c.group))];

// ---- "A segment" ----

function inflate(payload) {
  let result;
  try {
    result = inflateRawSync(payload, { maxOutputLength: MAX_INFLATED, info: true });
  } catch (error) {
    throw new Refused(`deflate: ${error.message}`);
  }
  need(result.engine.bytesWritten === payload.length, 'deflate: bytes behind its end');
  return result.buffer;
}

// "Numbers": varints, taken from front to back.
class Numbers {
  constructor(bytes) {
    Object.assign(this, { bytes, at: 0 });
  }

  next() {
    let value = 0n;
    for (let length = 0; ; length++) {
      need(length < 10, 'numbers: a varint of more than 10 bytes');
      need(this.at < this.bytes.length, 'numbers: too few');
      const byte = this.bytes[this.at++];
      value |= BigInt(byte & 0x7f) << BigInt(7 * length);
      if (byte < 0x80) {
        need(byte !== 0 || length === 0, 'numbers: a varint longer than it needs to be');
        return value;
      }
    }
  }

  signed() {
    const z = this.next();
    return z & 1n ? -((z + 1n) / 2n) : z / 2n;
  }

  several(count, take = () => this.next()) {
    return Array.from({ length: count }, take);
  }
}

const isText = (value) => typeof value === 'string';

function formValue(value, what) {
  if (!isText(value)) return integer(-VALUE, VALUE)(value, what);
  need(Buffer.byteLength(value) <= 1024, `${what}: a text of more than 1,024 bytes`);
  return value;
}

// "Reading it": the k values of a form.
function readForm(form, k, numbers) {
  if (!Array.isArray(form)) return Array(k).fill(formValue(form, 'form'));

  const step = (value, by) => formValue(value + by, 'a value');

  if (form.length === 1) {
    need(!isText(form[0]), 'form: [text]');
    const values = [formValue(form[0], 'form')];
    while (values.length < k) values.push(step(values.at(-1), numbers.signed()));
    return values;
  }

  need(form.length === 2, 'form: neither a value, [first], [first, n] nor [texts, n]');
  const changes = Number(integer(1n, BigInt(k - 1))(form[1], 'form: changes'));
  const gaps = numbers.several(changes);
  const [first] = form;

  let value;
  let following;
  if (Array.isArray(first)) {
    need(first.length >= 1, 'form: no texts');
    need(first.every(isText), 'form: texts that are none');
    first.forEach((entry) => formValue(entry, 'form'));
    value = first[0];
    following = () => {
      const index = numbers.next();
      need(index < first.length, 'form: no such text');
      return first[index];
    };
  } else {
    need(!isText(first), 'form: [text, n]');
    value = formValue(first, 'form');
    following = () => step(value, numbers.signed());
  }

  const values = [];
  for (const gap of gaps) {
    // gap + 1 ticks, and at least one is left for the last value
    need(BigInt(values.length) + gap + 1n < BigInt(k), 'form: changes behind the end');
    for (let i = 0n; i <= gap; i++) values.push(value);
    value = following();
  }
  while (values.length < k) values.push(value);
  return values;
}

// "Reading it": one column; null where the channel was not read.
function readColumn(column, ticks, numbers) {
  const map = column instanceof Map ? column : new Map([[0n, column]]);
  const runs = map.get(1n);
  const pairs = map.get(2n);
  if (column instanceof Map) {
    for (const key of map.keys()) need(key === 0n || key === 1n || key === 2n, `column: unknown key ${key}`);
    need(map.has(0n), 'column: no form');
    need(map.has(1n) || map.has(2n), 'column: a map without 1 and 2');
  }

  let present = Array(ticks).fill(true);
  if (map.has(1n)) {
    integer(1n, BigInt(ticks) + 1n)(runs, 'column: runs');
    present = [];
    for (let i = 0n; i < runs; i++) {
      const length = numbers.next();
      need(length > 0n || i === 0n, 'column: an empty run');
      need(BigInt(present.length) + length <= BigInt(ticks), 'column: runs of more than the ticks');
      for (let j = 0n; j < length; j++) present.push(i % 2n === 0n);
    }
    need(present.length === ticks, 'column: runs of less than the ticks');
  }
  const k = present.filter(Boolean).length;
  need(k >= 1, 'column: never read');

  let qualities = Array(k).fill(0n);
  if (map.has(2n)) {
    integer(1n, BigInt(k))(pairs, 'column: pairs of quality');
    qualities = [];
    for (let i = 0n; i < pairs; i++) {
      const quality = integer(0n, 15n)(numbers.next(), 'quality');
      const length = numbers.next();
      need(length >= 1n, 'column: a quality for no tick');
      need(BigInt(qualities.length) + length <= BigInt(k), 'column: qualities for more than was read');
      for (let j = 0n; j < length; j++) qualities.push(quality);
    }
    need(qualities.length === k, 'column: qualities for less than was read');
  }

  const values = readForm(map.get(0n), k, numbers);
  let n = 0;
  const place = present.map((read) => (read ? n++ : null));
  return {
    texts: isText(values[0]),
    values: place.map((i) => (i === null ? null : values[i])),
    qualities: place.map((i) => (i === null ? 0n : qualities[i])),
  };
}

function readGroup({ number: group, first, ticks: count, columns }, start, numbers) {
  const tick = (t) => integer(0n, UINT63)(t, 'a tick');
  const ticks = [tick(start + first)];
  let d = 0n;
  while (ticks.length < count) {
    d += numbers.signed();
    ticks.push(tick(ticks.at(-1) + d));
  }

  let c = -1n;
  const channels = columns.map(() => (c += 1n + numbers.next()));
  return { group, ticks, columns: columns.map((column, i) => ({ channel: channels[i], ...readColumn(column, ticks.length, numbers) })) };
}

// What a segment says by numbers of groups and channels; the schema is not needed for it.
function readSegment(payload) {
  const segment = Cbor.decode(inflate(payload), 'segment');
  need(Array.isArray(segment) && segment.length === 5, 'segment: not an array of five');
  need(segment[0] === 1n, 'segment: not version 1');
  const boot = bootId(segment[1], 'segment: boot id');
  const start = uint63(segment[2], 'segment: start');
  need(Array.isArray(segment[3]) && segment[3].length >= 1, 'segment: no groups');
  need(isBytes(segment[4]), 'segment: numbers are no byte string');

  const groups = segment[3].map((group) => {
    need(Array.isArray(group) && group.length === 4, 'group: not an array of four');
    need(Array.isArray(group[3]), 'group: columns are no array');
    return {
      number: integer(0n, BigInt(MAX_CHANNELS - 1))(group[0], 'group: number'),
      first: uint63(group[1], 'group: first'),
      ticks: integer(1n, MAX_VALUES)(group[2], 'group: ticks'),
      columns: group[3],
    };
  });
  need(new Set(groups.map((g) => g.number)).size === groups.length, 'segment: a group twice');
  const values = groups.reduce((sum, g) => sum + g.ticks * BigInt(Math.max(1, g.columns.length)), 0n);
  need(values <= MAX_VALUES, 'segment: too many values');

  const numbers = new Numbers(segment[4]);
  const read = groups.map((group) => readGroup(group, start, numbers));
  need(numbers.at === numbers.bytes.length, 'segment: numbers are left');
  return { boot, groups: read };
}

// The same with the names of its schema.
function nameSegment({ boot, groups }, { channels }) {
  const names = groupNames(channels);
  const named = new Map();
  const rows = [];
  for (const { group, ticks, columns } of groups) {
    need(group < names.length, `segment: the schema has no group ${group}`);
    const out = { ticks, columns: new Map(), quality: new Map() };
    for (const { channel: place, texts, values, qualities } of columns) {
      const described = channels[place];
      need(described?.group === names[group], `segment: channel ${place} is not of group ${group}`);
      need(described.is_text === texts, `segment: channel ${place} has ${texts ? 'texts' : 'numbers'}`);
      out.columns.set(described.name, values);
      if (qualities.some((q) => q !== 0n)) out.quality.set(described.name, qualities);
      values.forEach((value, i) => {
        if (value !== null) rows.push([described.name, ticks[i], value, qualities[i]]);
      });
    }
    named.set(names[group], out);
  }
  return { meaning: { boot_id: boot, groups: named }, rows };
}

// ---- "The envelope" ----

const CONTENT_TYPE = /^gw\/[a-z][a-z-]{0,31};v=[1-9][0-9]{0,2}$/;
const ENROLMENT = 'gw/enrolment;v=1';
const GATEWAY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/; // "Topics"

function readHeader(encoded) {
  const map = Cbor.decode(encoded, 'protected header');
  need(map instanceof Map, 'protected header: not a map');
  const labels = [...map.keys()];
  need(labels.length === 4 && [1n, 3n, 4n, -65537n].every((label) => map.has(label)), 'protected header: not the four labels');
  need(map.get(1n) === -8n, 'protected header: algorithm is not EdDSA');
  const content = map.get(3n);
  need(isText(content) && CONTENT_TYPE.test(content), 'protected header: content type');
  const keyId = map.get(4n);
  bytes(1, 64)(keyId, 'protected header: key id');

  const place = map.get(-65537n);
  need(Array.isArray(place) && place.length === 6, 'place: not an array of six');
  const [gateway, stream] = place;
  need(isText(gateway) && GATEWAY.test(gateway), 'place: gateway');
  streamName(stream, 'place: stream');
  const shown = {
    key_id: keyId.toString(), // a text, for those that are in a key set are ASCII
    content,
    gateway,
    stream,
    epoch: epoch(place[2], 'place: epoch'),
    sequence: number(place[3], 'place: sequence'),
    previous: orNull(digest)(place[4], 'place: previous'),
    schema: orNull(schemaId)(place[5], 'place: schema'),
  };
  return { header: shown, keyId: hex(keyId) };
}

// What of the place goes with the content: the first rules of contract.cddl, "Streams, chains, receipts" and "Checking a message", 5.
// That a chain begins with zeros, and nothing else does, is seen with the chain.
function checkPlace({ content, stream, epoch: of, sequence, previous, schema }) {
  const kind = CONTENTS[content];
  need(kind, `unknown content ${content}: this reader is to be updated`); // "Versions"
  need(kind.stream.test(stream), `place: ${content} in stream ${stream}`);
  const chained = typeof kind.chained === 'function' ? kind.chained(stream) : kind.chained === true;
  need((previous !== null) === chained, `place: previous ${chained ? 'missing' : 'in a stream without a chain'}`);
  need((schema !== null) === (kind.schema === true), `place: schema ${kind.schema ? 'missing' : 'where there is none'}`);
  if (content === ENROLMENT) need(sequence === 1n && /^0+$/.test(of), 'place: an enrolment has an epoch of zeros and sequence 1');
  return kind;
}

function toBeSigned(protectedHeader, { gateway, stream }, payload) {
  const external = Buffer.concat([Buffer.of(0x83), encodeText('gw/v1'), encodeText(gateway), encodeText(stream)]);
  return Buffer.concat([Buffer.of(0x84), encodeText('Signature1'), ...[protectedHeader, external, payload].map(encodeBytes)]);
}

// "Keys": which role signs in which stream; all others are a gateway's.
const ROLES = new Map([['receipt', 'receipt'], ['cmd', 'dispatch'], ['cfg', 'config']]);

// An enrolment brings its key along: it proves that somebody has it, no more.
function keyFor(header, keyId, payload, keys) {
  if (header.content !== ENROLMENT) return keys.get(keyId);
  const known = Cbor.decode(payload, 'payload');
  need(known instanceof Map && isBytes(known.get(2n)) && known.get(2n).length === 32, 'an enrolment without a key');
  return { public: publicKey(known.get(2n)), issuer: header.gateway, roles: ['gateway'] };
}

// "Checking a message", 1 to 5, and the payload. Of a segment "segment" is what can be said without its schema.
function readMessage(message, keys) {
  check(1, () => need(message.length <= MAX_MESSAGE, 'too long'));
  const { protectedHeader, payload, signature, header, keyId } = check(2, () => readEnvelope(message));
  check(1, () => need(message.length <= (MAX_MESSAGE_ON.get(header.stream) ?? MAX_MESSAGE), `too long for ${header.stream}`));

  const key = check(3, () => keyFor(header, keyId, payload, keys));
  check(3, () => {
    need(key, `no key ${header.key_id}`);
    need(verify(null, toBeSigned(protectedHeader, header, payload), key.public, signature), 'signature is wrong');
    need(!key.revoked, `key ${header.key_id} is revoked`);
  });
  check(4, () => {
    const role = ROLES.get(header.stream) ?? 'gateway';
    need(key.roles.includes(role), `key ${header.key_id} may not sign in ${header.stream}`);
    need(role !== 'gateway' || key.issuer === header.gateway, `key ${header.key_id} is not one of ${header.gateway}`);
  });
  const kind = check(5, () => checkPlace(header));
  return check('payload', () => readPayload(kind, header, payload));
}

function readEnvelope(message) {
  need(message[0] === 0xd2, 'does not begin with tag 18');
  const envelope = Cbor.decode(message.subarray(1), 'envelope');
  need(Array.isArray(envelope) && envelope.length === 4, 'envelope: not an array of four');
  const [protectedHeader, unprotected, payload, signature] = envelope;
  need(isBytes(protectedHeader) && isBytes(payload), 'envelope: protected header or payload is no byte string');
  need(unprotected instanceof Map && unprotected.size === 0, 'envelope: unprotected header is not the empty map');
  need(isBytes(signature) && signature.length === 64, 'envelope: signature is not 64 bytes');
  return { protectedHeader, payload, signature, ...readHeader(protectedHeader) };
}

function readPayload(kind, header, payload) {
  if (header.content === 'gw/segment;v=1') return { header, segment: readSegment(payload) };
  if (header.content !== 'gw/schema;v=1') return { header, meaning: readFields(kind, payload) };
  const schema = readSchema(payload);
  need(schema.id === header.schema, 'place: schema is not the id of the payload');
  return { header, meaning: schema };
}

// ---- Input and output ----

// {"refused": why} for a message that is refused; anything else that is thrown is a fault of this reader.
function orRefused(read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) return { refused: error.message, fails: error.fails };
    throw error;
  }
}

// JSON with whole numbers of any size, and without what some readers of lines take for the end of one.
const quote = (value) => JSON.stringify(value).replace(/[\u0085\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

function json(value) {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(json).join(', ')}]`;
  if (value === null || typeof value !== 'object') return quote(value);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return `{${entries.map(([key, entry]) => `${quote(key)}: ${json(entry)}`).join(', ')}}`;
}

function publicKey(raw) {
  const SPKI = Buffer.from('302a300506032b6570032100', 'hex'); // SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes
  return createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
}

function readKeys(path) {
  const { keys } = JSON.parse(readFileSync(path, 'utf8'));
  return new Map(Object.entries(keys).map(([id, { issuer, roles, revoked, public: raw }]) => [
    hex(Buffer.from(id)), { issuer, roles, revoked, public: publicKey(Buffer.from(raw, 'hex')) },
  ]));
}

function fromHex(line) {
  need(/^([0-9a-fA-F]{2})*$/.test(line), 'not hex');
  return Buffer.from(line, 'hex');
}

function main() {
  const keys = readKeys(process.argv[2]);
  const lines = readFileSync(0, 'latin1').split('\n').map((line) => line.trim());
  if (lines.at(-1) === '') lines.pop();
  const messages = lines.map((line) => orRefused(() => readMessage(check(2, () => fromHex(line)), keys)));

  // "Schema": a schema may arrive after the segments that name it, so all are collected first; of each gateway its own.
  const place = (header) => `${header.gateway}/${header.schema}`;
  const schemas = new Map(messages.filter((m) => m.meaning?.channels).map((m) => [place(m.header), m.meaning]));

  const results = messages.map(({ segment, ...message }) => {
    if (!segment) return message;
    const schema = schemas.get(place(message.header));
    if (!schema) return { ...message, waiting: message.header.schema };
    return orRefused(() => check('payload', () => ({ ...message, ...nameSegment(segment, schema) })));
  });
  process.stdout.write(results.map((result) => json(result) + '\n').join(''));
}

main();
