// Clients of Automerge's sync server: repos of its own library, in memory. An edit counts as acknowledged when the server
// has told that its heads are ours.
import { Repo } from '@automerge/automerge-repo';
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket';

const urls = new Map();

class Client {
  constructor(port) {
    this.port = port;
    this.repo = new Repo({ network: [] });
    this.theirs = null;
  }

  async online() {
    this.adapter = new WebSocketClientAdapter(`ws://127.0.0.1:${this.port}`);
    // The adapter says that it is ready after a second even if nobody is there.
    const met = new Promise((resolve) => this.adapter.once('peer-candidate', resolve));
    this.repo.networkSubsystem.addNetworkAdapter(this.adapter);
    await met;
  }

  offline() {
    this.repo.networkSubsystem.removeNetworkAdapter(this.adapter);
    this.theirs = null;
  }

  async open(name) {
    if (!urls.has(name)) urls.set(name, this.make());
    const url = await urls.get(name);
    this.handle ??= await this.repo.find(url);
    this.listen();
  }

  async make() {
    this.handle = this.repo.create({ records: {} });
    this.listen();
    await this.settled();
    return this.handle.url;
  }

  listen() {
    if (this.heads !== undefined) return;
    this.heads = true;
    this.handle.on('remote-heads', ({ heads }) => {
      this.theirs = heads.join();
      this.told?.();
    });
  }

  get bytesIn() {
    return this.adapter.socket?._socket?.bytesRead ?? 0;
  }

  get bytesOut() {
    return this.adapter.socket?._socket?.bytesWritten ?? 0;
  }

  async write(key, value) {
    this.handle.change((doc) => {
      doc.records[key] = value;
    });
    if (this.adapter.socket) await this.settled();
  }

  async settled() {
    while (this.theirs !== this.handle.heads().join()) {
      // Our own heads move too, when others' changes come.
      await new Promise((resolve) => {
        this.told = resolve;
        setTimeout(resolve, 20);
      });
    }
  }

  async read(key) {
    return this.handle?.doc()?.records[key];
  }

  async count() {
    return Object.keys(this.handle.doc().records).length;
  }

  close() {
    this.adapter.disconnect();
  }
}

export async function join(where, name, shared) {
  const client = new Client(where.port);
  await client.online();
  try {
    await client.open(shared ? 'area' : name);
  } catch (error) {
    // After a kill a document may not be there at all: then everything in it is lost.
    if (!where.again) throw error;
  }
  return client;
}

export async function listen(where, n, heard) {
  const client = await join(where, `listener-${n}`, true);
  client.handle.on('change', ({ patches }) => {
    for (const { value } of patches) if (typeof value === 'string' && value !== '') heard(Buffer.from(value));
  });
  return client;
}

export async function fill(where, records, text) {
  const client = await join(where, 'filler', true);
  for (let from = 0; from < records; from += 500) {
    client.handle.change((doc) => {
      for (let n = from; n < Math.min(from + 500, records); n++) doc.records[`r-${n}`] = `${n} ${text}`;
    });
  }
  await client.settled();
  client.close();
}

export async function fresh(where, records) {
  const client = await join(where, 'fresh', true);
  while ((await client.count()) < records) await new Promise((resolve) => setTimeout(resolve, 10));
  const found = { records: await client.count(), bytes: client.bytesIn };
  client.close();
  return found;
}
