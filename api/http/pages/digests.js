"use strict";
// SHA-256 (FIPS 180-4) and SM3 (GB/T 32905) of bytes, in lower-case hex. Both pad alike; only rounds and words differ.

function paddedBlocks(bytes) {
  const length = Math.ceil((bytes.length + 9) / 64) * 64;
  const tail = new Uint8Array(length - Math.floor(bytes.length / 64) * 64);
  tail.set(bytes.subarray(bytes.length - (bytes.length % 64)));
  tail[bytes.length % 64] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);
  return { whole: bytes.length - (bytes.length % 64), tail };
}

function digestWith(compress, initial, bytes) {
  const state = Uint32Array.from(initial);
  const { whole, tail } = paddedBlocks(bytes);
  const body = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < whole; at += 64) compress(state, body, at);
  const end = new DataView(tail.buffer);
  for (let at = 0; at < tail.length; at += 64) compress(state, end, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

const left = (x, n) => ((x << (n & 31)) | (x >>> (32 - (n & 31)))) >>> 0;

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((p) => n % p)) primes.push(n);
  return primes;
}

// The first 32 bits of the fractional part of a root, exactly: with integers, not with floats.
function rootBits(prime, degree) {
  const target = BigInt(prime) << BigInt(32 * degree);
  let low = 0n, high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(degree) <= target) low = middle; else high = middle;
  }
  return Number(low & 0xffffffffn);
}

const SHA256_INITIAL = firstPrimes(8).map((prime) => rootBits(prime, 2));
const SHA256_ROUND = firstPrimes(64).map((prime) => rootBits(prime, 3));

function compressSha256(state, view, at) {
  const w = new Uint32Array(64);
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const s0 = left(w[i - 15], 25) ^ left(w[i - 15], 14) ^ (w[i - 15] >>> 3);
    const s1 = left(w[i - 2], 15) ^ left(w[i - 2], 13) ^ (w[i - 2] >>> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const sum1 = left(e, 26) ^ left(e, 21) ^ left(e, 7);
    const t1 = (h + sum1 + ((e & f) ^ (~e & g)) + SHA256_ROUND[i] + w[i]) >>> 0;
    const sum0 = left(a, 30) ^ left(a, 19) ^ left(a, 10);
    const t2 = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) >>> 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) >>> 0, c, b, a, (t1 + t2) >>> 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
}

const SM3_INITIAL = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];

function compressSm3(state, view, at) {
  const w = new Uint32Array(68);
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 68; i++) {
    const x = w[i - 16] ^ w[i - 9] ^ left(w[i - 3], 15);
    w[i] = x ^ left(x, 15) ^ left(x, 23) ^ left(w[i - 13], 7) ^ w[i - 6];
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const early = i < 16;
    const ss1 = left((left(a, 12) + e + left(early ? 0x79cc4519 : 0x7a879d8a, i)) >>> 0, 7);
    const ff = early ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = early ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + (ss1 ^ left(a, 12)) + (w[i] ^ w[i + 4])) >>> 0;
    const tt2 = (gg + h + ss1 + w[i]) >>> 0;
    [d, c, b, a] = [c, left(b, 9), a, tt1];
    [h, g, f, e] = [g, left(f, 19), e, (tt2 ^ left(tt2, 9) ^ left(tt2, 17)) >>> 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] ^= word; });
}

function fileDigests(bytes) {
  return {
    sha256: digestWith(compressSha256, SHA256_INITIAL, bytes),
    sm3: digestWith(compressSm3, SM3_INITIAL, bytes),
    size: bytes.length,
  };
}
