// Clients of Kinto: each keeps what it wrote offline in a list, sends it in batches of 25, which is the stock limit, and
// asks for what changed since it last asked. There is no push.
import { Caller } from './http.mjs';

export const polls = true;
const HOME = '/buckets/force/collections/area';
const BATCH = 25;
let made;

function make(where) {
  const caller = new Caller(where.port, '/v1');
  return (async () => {
    await caller.done('PUT', '/buckets/force', {});
    await caller.done('PUT', HOME, {});
    caller.close();
  })();
}

class Client {
  constructor(port) {
    this.caller = new Caller(port, '/v1');
    this.pending = null;
    this.held = new Set();
    this.since = '';
  }

  get bytesOut() {
    return this.caller.bytesOut;
  }

  async write(key, value) {
    if (this.pending !== null) this.pending.push([key, value]);
    else {
      const path = `${HOME}/records/${key}`;
      let answer;
      // 409: another client wrote at the same moment, try again.
      do answer = await this.caller.ask('PUT', path, { data: { value } });
      while (answer.status === 409);
      if (answer.status >= 300) throw new Error(`PUT ${path}: ${answer.status}`);
    }
  }

  async read(key) {
    return (await this.caller.ask('GET', `${HOME}/records/${key}`)).body?.data?.value;
  }

  offline() {
    this.pending = [];
  }

  online() {
    const requests = this.pending.map(([key, value]) => ({ method: 'PUT', path: `/v1${HOME}/records/${key}`, body: { data: { value } } }));
    this.pending = null;
    this.sending = (async () => {
      let left = requests;
      while (left.length > 0) {
        const batch = left.slice(0, BATCH);
        const { responses } = await this.caller.done('POST', '/batch', { requests: batch });
        const bad = responses.find((each) => each.status >= 300 && each.status !== 409);
        if (bad) throw new Error(`a batch: ${JSON.stringify(bad).slice(0, 200)}`);
        // What met another writer goes again: that is its way of ordering them.
        left = [...batch.filter((_, n) => responses[n]?.status !== 200 && responses[n]?.status !== 201), ...left.slice(BATCH)];
      }
    })();
  }

  settled() {
    return this.sending;
  }

  async count() {
    const answer = await this.caller.ask('GET', `${HOME}/records${this.since && `?_since=${this.since}`}`);
    for (const each of answer.body.data) this.held.add(each.id);
    this.since = encodeURIComponent(answer.headers.etag);
    return this.held.size;
  }

  close() {
    this.caller.close();
  }
}

export async function join(where) {
  made ??= make(where);
  await made;
  return new Client(where.port);
}

export async function fill(where, records, text) {
  const client = await join(where);
  client.offline();
  for (let n = 0; n < records; n++) await client.write(`r-${n}`, `${n} ${text}`);
  client.online();
  await client.settled();
}

export async function fresh(where) {
  const client = await join(where);
  const found = { records: await client.count(), bytes: client.caller.bytesIn };
  client.close();
  return found;
}
