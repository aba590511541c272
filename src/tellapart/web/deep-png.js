/**
 * PNGs of 16 bits a channel whose photo uses fewer, which a browser shows as black.
 *
 * Such a file is written anew with 8 bits, before the browser decodes it: the same rule as in
 * src/tellapart/formats/levels.py says what is white. Profile and orientation stay in the file, for the browser to obey.
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = [1, 0, 3, 0, 2, 0, 4]; // by colour type
const STEPS = [8, 10, 12, 14]; // bits that instruments give
const FULL = 65535;
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const KEPT = /^(iCCP|gAMA|sRGB|cHRM|cICP|eXIf)$/; // what does not depend on the bits of a channel

/** @typedef {{kind: string, body: Uint8Array}} Chunk */
/** @typedef {{width: number, height: number, colour: number, channels: number, interlaced: boolean}} Head */

/**
 * @param {Blob} photo
 * @returns {Promise<Blob>} the photo itself, or another file of it in which all of its brightness can be seen.
 */
export async function withAllLevels(photo) {
  const start = new Uint8Array(await photo.slice(0, 33).arrayBuffer());
  if (start.length < 33 || SIGNATURE.some((byte, i) => start[i] !== byte) || start[24] !== 16) return photo;
  try {
    return await rewritten(photo);
  } catch {
    return photo; // broken: the browser says so
  }
}

/**
 * @param {Blob} photo a PNG of 16 bits a channel.
 * @returns {Promise<Blob>}
 */
async function rewritten(photo) {
  const chunks = chunksOf(new Uint8Array(await photo.arrayBuffer()));
  const header = chunks[0].body;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const colour = header[9];
  /** @type {Head} */
  const head = { width: view.getUint32(0), height: view.getUint32(4), colour, channels: CHANNELS[colour], interlaced: header[12] === 1 };
  const stored = chunks.filter(({ kind }) => kind === "IDAT").map(({ body }) => body);
  const rows = unfiltered(await piped(stored, new DecompressionStream("deflate")), head);
  const clear = body(chunks, "tRNS");
  const [white, whiteAlpha] = whites(rows, head, body(chunks, "sBIT"));
  if (white === FULL && whiteAlpha === FULL && !clear) return photo;
  const to = clear && colour === 2 ? 6 : clear && colour === 0 ? 4 : colour;
  const eight = inEightBits(rows, head, to, white, whiteAlpha, clear);
  const newHead = Uint8Array.from(header);
  [newHead[8], newHead[9]] = [8, to];
  const pixels = await piped([eight], new CompressionStream("deflate"));
  const kept = chunks.filter(({ kind }) => KEPT.test(kind));
  const written = [{ kind: "IHDR", body: newHead }, ...kept, { kind: "IDAT", body: pixels }, { kind: "IEND", body: new Uint8Array(0) }];
  return new Blob([Uint8Array.from(SIGNATURE), ...written.map(asBytes)], { type: "image/png" });
}

/**
 * @param {Uint8Array} data
 * @returns {Chunk[]}
 */
function chunksOf(data) {
  const view = new DataView(data.buffer);
  const chunks = [];
  for (let at = 8; at + 12 <= data.length; ) {
    const end = at + 8 + view.getUint32(at);
    chunks.push({ kind: String.fromCharCode(...data.subarray(at + 4, at + 8)), body: data.subarray(at + 8, end) });
    at = end + 4;
  }
  return chunks;
}

/**
 * @param {Chunk[]} chunks
 * @param {string} wanted
 */
function body(chunks, wanted) {
  return chunks.find(({ kind }) => kind === wanted)?.body;
}

/**
 * @param {Uint8Array[]} pieces
 * @param {any} stream
 * @returns {Promise<Uint8Array>}
 */
async function piped(pieces, stream) {
  const through = new Blob(/** @type {any} */ (pieces)).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(/** @type {any} */ (through)).arrayBuffer());
}

/**
 * Widths of the rows as they are stored, one after the other.
 * @param {Head} head
 */
function* storedRows({ width, height, interlaced }) {
  for (const [x, y, dx, dy] of interlaced ? ADAM7 : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - x) / dx);
    for (let row = y, first = true; columns > 0 && row < height; row += dy, first = false) yield { columns, first };
  }
}

/**
 * The rows' numbers, without the byte before each that says how it was filtered.
 * @param {Uint8Array} data changed in place.
 * @param {Head} head
 * @returns {Uint16Array[]}
 */
function unfiltered(data, head) {
  const back = 2 * head.channels;
  const rows = [];
  /** @type {Uint8Array} */
  let above = new Uint8Array(0);
  let at = 0;
  for (const { columns, first } of storedRows(head)) {
    const filter = data[at];
    const row = data.subarray(at + 1, at + 1 + back * columns);
    if (row.length < back * columns) throw new RangeError("cut off");
    if (first) above = new Uint8Array(row.length);
    for (let i = 0; i < row.length; i += 1) {
      const left = i < back ? 0 : row[i - back];
      if (filter === 1) row[i] += left;
      else if (filter === 2) row[i] += above[i];
      else if (filter === 3) row[i] += (left + above[i]) >> 1;
      else if (filter === 4) row[i] += paeth(left, above[i], i < back ? 0 : above[i - back]);
    }
    rows.push(Uint16Array.from({ length: row.length / 2 }, (_, i) => (row[2 * i] << 8) | row[2 * i + 1]));
    above = row;
    at += 1 + row.length;
  }
  return rows;
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 */
function paeth(left, above, corner) {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/**
 * The levels of colours and of alpha that are white and opaque.
 * @param {Uint16Array[]} rows
 * @param {Head} head
 * @param {Uint8Array} [significant]
 */
function whites(rows, { channels, colour }, significant) {
  const alphaAt = colour >= 4 ? channels - 1 : channels;
  const tops = [0, 0];
  const stretched = [[true, true], [true, true]]; // all multiples of 256, of 257
  for (const row of rows) {
    for (let i = 0; i < row.length; i += 1) {
      const which = i % channels === alphaAt ? 1 : 0;
      const level = row[i];
      if (level > tops[which]) tops[which] = level;
      if (level % 256) stretched[which][0] = false;
      if (level % 257) stretched[which][1] = false;
    }
  }
  const bits = significant ? Math.max(...significant.subarray(0, colour === 0 || colour === 4 ? 1 : 3)) : 0;
  const said = bits >= 1 && bits <= 16 ? 2 ** bits - 1 : 0;
  return tops.map((top, i) => {
    if (i === 0 && top <= said) return said;
    if (top === 0 || stretched[i].includes(true)) return FULL;
    return 2 ** (STEPS.find((step) => top < 2 ** step) ?? 16) - 1;
  });
}

/**
 * The rows again, in 8 bits and not filtered; with alpha where a colour is transparent.
 * @param {Uint16Array[]} rows
 * @param {Head} head
 * @param {number} to the new colour type.
 * @param {number} white
 * @param {number} whiteAlpha
 * @param {Uint8Array} [clear]
 */
function inEightBits(rows, { channels, colour }, to, white, whiteAlpha, clear) {
  const colours = colour >= 4 ? channels - 1 : channels;
  const n = CHANNELS[to];
  // Of all 16 bits of colours Pillow and browsers take the upper 8; grey is rounded in Python, and so here.
  const lift = (/** @type {number} */ level, /** @type {number} */ full, upper = true) =>
    upper && full === FULL ? level >> 8 : Math.floor((level * 255) / full + 0.5);
  const eight = new Uint8Array(rows.reduce((sum, row) => sum + 1 + (row.length / channels) * n, 0));
  let at = 0;
  for (const row of rows) {
    at += 1;
    for (let i = 0; i < row.length; i += channels, at += n) {
      let hidden = clear !== undefined;
      for (let c = 0; c < colours; c += 1) {
        eight[at + c] = lift(row[i + c], white, colour !== 0);
        if (clear && row[i + c] !== ((clear[2 * c] << 8) | clear[2 * c + 1])) hidden = false;
      }
      if (n > colours) eight[at + colours] = clear ? (hidden ? 0 : 255) : lift(row[i + colours], whiteAlpha);
    }
  }
  return eight;
}

/** @param {Chunk} chunk */
function asBytes({ kind, body: content }) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set([...kind].map((letter) => letter.charCodeAt(0)), 4);
  bytes.set(content, 8);
  view.setUint32(8 + content.length, checksum(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

/** @param {Uint8Array} bytes */
function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
