// One job against one peer: node harness.mjs ADAPTER '{"job": ..., "ports": {...}, "size": {...}, "patience_s": 20}'.
//
// Talks to whoever started it in lines of JSON. Out: {"ask": word} where it needs something done to the server, which is
// answered with one line, and {"figures": ..., "notes": ...} at the end. The clock runs here, beside the clients.
import readline from 'node:readline';

const [adapterName, told] = process.argv.slice(2);
const { job, ports, size, patience_s: patienceS } = JSON.parse(told);
const adapter = await import(`./${adapterName}.mjs`);
const where = { ports, port: ports.server, size };
const notes = [];
let dead = false;

// --- who started this -------------------------------------------------------------------------------------------------

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(word) {
  process.stdout.write(`${JSON.stringify({ ask: word })}\n`);
  const { value, done } = await lines.next();
  if (done) process.exit(1);
  return JSON.parse(value);
}

function say(figures) {
  process.stdout.write(`${JSON.stringify({ figures, notes })}\n`);
}

// --- small things -----------------------------------------------------------------------------------------------------

const now = () => performance.now();
const range = (count) => Array.from({ length: count }, (_, n) => n);
const sum = (values) => values.reduce((one, other) => one + other, 0);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function percentile(values, percent) {
  const ordered = Float64Array.from(values).sort();
  return ordered[Math.max(1, Math.ceil((ordered.length * percent) / 100)) - 1];
}

function median(values) {
  const ordered = [...values].sort((one, other) => one - other);
  const half = ordered.length >> 1;
  return ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
}

// Some at once: a server that is asked everything in one moment refuses connections, and that is not the job.
async function inParts(count, work, atOnce = 25) {
  const found = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const n = next++;
      found[n] = await work(n);
    }
  };
  await Promise.all(range(Math.min(atOnce, count)).map(worker));
  return found;
}

// The promise's value, or `undefined` after so long.
async function within(promise, ms) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// --- the jobs ---------------------------------------------------------------------------------------------------------

// Clients that edit a record of their own, each as soon as the last edit was acknowledged. Then the server is killed
// while they go on, started again on the same files, and asked for what it had acknowledged.
async function ack() {
  const clients = await inParts(size.devices, (n) => adapter.join(where, `own-${n}`, false));
  const acked = new Array(size.devices).fill(0);
  let taken = [];
  let stop = false;
  const loops = clients.map(async (client, n) => {
    for (let value = 1; !stop; value++) {
      const began = now();
      try {
        await client.write(`own-${n}`, value);
      } catch (error) {
        if (dead) return;
        throw error;
      }
      if (dead) return;
      acked[n] = value;
      taken.push(now() - began);
    }
  });
  // A loop that fails early fails the job; the others never end.
  const failed = Promise.race(loops.map((loop) => loop.then(() => new Promise(() => {}))));
  await Promise.race([pause(Math.min(2000, size.seconds * 400)), failed]);
  taken = [];
  await ask('begin');
  const began = now();
  const sent = sum(clients.map((client) => client.bytesOut ?? 0));
  await Promise.race([pause(size.seconds * 1000), failed]);
  const passed = (now() - began) / 1000;
  const found = taken;
  taken = [];
  const up = sum(clients.map((client) => client.bytesOut ?? 0)) - sent;
  const used = await ask('used');
  if (found.length === 0) throw new Error(`nothing was acknowledged within ${size.seconds} s`);
  const figures = {
    edits_per_s: found.length / passed,
    ack_p50_ms: percentile(found, 50),
    ack_p99_ms: percentile(found, 99),
    ...(up > 0 ? { up_bytes: up / found.length } : {}),
    ...used,
  };
  const killed = ask('kill');
  // What the sockets still hold was sent before the kill: it was acknowledged.
  await killed;
  await pause(50);
  dead = true;
  stop = true;
  for (const client of clients) client.close();
  const all = sum(acked);
  await ask('start');
  const kept = await inParts(size.devices, async (n) => {
    const client = await adapter.join({ ...where, again: true }, `own-${n}`, false, n);
    const value = await within(client.read(`own-${n}`), 10_000);
    client.close();
    return Number(value ?? 0);
  });
  const lost = sum(acked.map((value, n) => Math.max(0, value - kept[n])));
  say({ ...figures, acked: all, lost, lost_pct: all === 0 ? 0 : (100 * lost) / all });
}

// One change to everybody, and many at once. A delivery is one changed record at one client.
async function fanout() {
  const desk = await adapter.join(where, 'desk', true);
  const crowd = new Crowd(size.devices);
  const listeners = await inParts(size.devices, (n) => adapter.listen(where, n, (chunk) => crowd.heard(n, chunk)));
  await pause(300);
  const bytes = () => sum(listeners.map((one) => one.bytesIn ?? 0));
  let mark = 0;
  const change = async (count) => {
    const marks = range(count).map(() => `m${String(++mark).padStart(7, '0')}`);
    const all = crowd.expect(marks[count - 1]);
    const began = now();
    for (let n = 0; n < count; n++) desk.write(`shared-${n}`, marks[n]).catch(() => {});
    if ((await within(all.then(() => true), patienceS * 500)) === undefined) throw new Error('a change did not reach everybody');
    return crowd.lastAt - began;
  };
  for (let n = 0; n < 3; n++) await change(1);
  await change(size.changes);
  const before = bytes();
  await ask('begin');
  const took = [];
  const limit = now() + patienceS * 400;
  while (took.length < size.changes && now() < limit) took.push(await change(1));
  const used = await ask('used');
  const told = bytes() - before;
  const bursts = [];
  const burstLimit = now() + patienceS * 300;
  while (bursts.length < size.bursts && now() < burstLimit) bursts.push(await change(size.changes));
  say({
    last_ms: sum(took) / took.length,
    single_per_s: (size.devices * took.length * 1000) / sum(took),
    burst_last_ms: sum(bursts) / bursts.length,
    burst_per_s: (size.devices * size.changes * bursts.length * 1000) / sum(bursts),
    ...(told > 0 ? { batch_bytes: told / size.devices / took.length } : {}),
    ...used,
  });
}

// Looks for a mark in what comes to each listener, in whatever pieces it comes.
class Crowd {
  constructor(count) {
    this.count = count;
    this.round = 0;
    this.hit = new Uint32Array(count);
    this.tails = new Array(count).fill(null);
    this.lastAt = 0;
  }

  expect(mark) {
    this.round += 1;
    this.mark = Buffer.from(mark);
    this.missing = this.count;
    this.tails.fill(null);
    return new Promise((resolve) => {
      this.done = resolve;
    });
  }

  heard(n, chunk) {
    if (this.hit[n] === this.round || this.mark === undefined) return;
    const tail = this.tails[n];
    const found = chunk.includes(this.mark) || (tail !== null && Buffer.concat([tail, chunk.subarray(0, 8)]).includes(this.mark));
    if (!found) {
      this.tails[n] = chunk.length < 8 && tail !== null ? Buffer.concat([tail, chunk]) : chunk.subarray(-8);
      return;
    }
    this.hit[n] = this.round;
    this.missing -= 1;
    if (this.missing === 0) {
      this.lastAt = now();
      this.done();
    }
  }
}

// A fresh client takes in everything there is.
async function bootstrap() {
  await adapter.fill(where, size.records, 'x'.repeat(size.bytes));
  const rounds = [];
  let used = {};
  for (let n = 0; n <= size.rounds; n++) {
    await ask('begin');
    const began = now();
    const found = await within(adapter.fresh(where, size.records, n), patienceS * 1000);
    if (found === undefined) throw new Error(`a fresh client did not have all ${size.records} records in ${patienceS} s`);
    const seconds = (now() - began) / 1000;
    if (found.records !== size.records) throw new Error(`a fresh client holds ${found.records} of ${size.records}`);
    used = await ask('used');
    // The first one warms up, unless there is time for no other.
    rounds.push({ seconds, wire_mb: found.bytes / 1e6 });
    if (seconds > patienceS / 3) break;
  }
  const counted = rounds.length > 1 ? rounds.slice(1) : rounds;
  const seconds = median(counted.map((one) => one.seconds));
  say({ records_per_s: size.records / seconds, seconds, wire_mb: counted[0].wire_mb, ...used });
}

// Signal returns to many at once, each with edits made without it.
async function storm() {
  const clients = await inParts(size.devices, (n) => adapter.join(where, `storm-${n}`, true));
  await Promise.all(clients.map((client) => client.offline()));
  clients.forEach((client, n) => {
    // Its promise is of the acknowledgement, and that is waited for below.
    for (let edit = 0; edit < size.edits; edit++) client.write(`s-${n}-${edit}`, `edit ${edit} of ${n}`).catch(() => {});
  });
  await ask('begin');
  const began = now();
  const until = began + patienceS * 1000;
  let durable;
  let equal;
  const all = size.devices * size.edits;
  const coming = clients.map((client) => client.online());
  const settling = Promise.all(clients.map(async (client, n) => {
    await coming[n];
    await client.settled();
  })).then(() => {
    durable = (now() - began) / 1000;
  });
  settling.catch((error) => notes.push(String(error)));
  while (now() < until && !(durable !== undefined && equal !== undefined)) {
    await within(settling, durable === undefined ? 20 : 0);
    await pause(10);
    // Who is not told asks; but while edits are on their way it would only be in their way.
    if (equal === undefined && !(adapter.polls && durable === undefined)) {
      const held = await Promise.all(clients.map((client) => client.count()));
      if (held.every((count) => count >= all)) equal = (now() - began) / 1000;
    }
  }
  const used = await ask('used');
  if (durable === undefined) notes.push(`not all at the server within ${patienceS} s`);
  if (equal === undefined) notes.push(`replicas not equal within ${patienceS} s`);
  say({
    ...(durable === undefined ? {} : { durable_s: durable, edits_per_s: all / durable }),
    ...(equal === undefined ? {} : { equal_s: equal }),
    ...used,
  });
}

// Clients that are connected and have nothing to say.
async function idle() {
  const warm = await inParts(5, (n) => adapter.listen(where, `warm-${n}`, () => {}));
  await pause(500);
  const before = await ask('memory');
  const clients = await inParts(size.devices, (n) => adapter.listen(where, n, () => {}));
  await pause(1000);
  await ask('begin');
  await pause(size.seconds * 1000);
  const after = await ask('memory');
  const used = await ask('used');
  say({ device_kb: (after.memory_kb - before.memory_kb) / size.devices, server_kb: before.memory_kb, ...used });
  for (const client of [...warm, ...clients]) client.close();
}

const JOBS = { ack, fanout, bootstrap, storm, idle };

process.on('uncaughtException', (error) => {
  // Sockets of a server that was killed on purpose end in errors of all kinds.
  if (dead) return;
  process.stdout.write(`${JSON.stringify({ failed: String(error?.stack ?? error) })}\n`, () => process.exit(1));
});
process.on('unhandledRejection', (error) => {
  if (dead) return;
  process.stdout.write(`${JSON.stringify({ failed: String(error?.stack ?? error) })}\n`, () => process.exit(1));
});

try {
  await JOBS[job]();
  process.exit(0);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ failed: String(error?.message ?? error) })}\n`, () => process.exit(1));
}
