// MQTT 3.1.1, as much of it as the jobs need: CONNECT, SUBSCRIBE, PUBLISH at QoS 1 with its PUBACK.
import net from 'node:net';

const FILLER = 'x'.repeat(280);

function packet(type, ...parts) {
  const body = Buffer.concat(parts);
  const head = [type];
  let left = body.length;
  do {
    head.push((left % 128) | (left > 127 ? 128 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

function text(value) {
  const body = Buffer.from(value);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(body.length);
  return Buffer.concat([size, body]);
}

class Client {
  constructor(socket) {
    this.socket = socket;
    this.rest = Buffer.alloc(0);
    this.waiting = new Map();
    this.retained = new Map();
    this.chunks = null;
    this.id = 0;
    this.next = null;
    socket.on('data', (chunk) => (this.chunks === null ? this.came(chunk) : this.chunks(chunk)));
    socket.on('error', () => {});
  }

  get bytesIn() {
    return this.socket.bytesRead;
  }

  get bytesOut() {
    return this.socket.bytesWritten;
  }

  came(chunk) {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      let size = 0;
      let at = 1;
      let shift = 0;
      for (; ; at++, shift += 7) {
        if (at >= this.rest.length) return;
        size |= (this.rest[at] & 127) << shift;
        if (this.rest[at] < 128) break;
      }
      at += 1;
      if (this.rest.length < at + size) return;
      this.took(this.rest[0], this.rest.subarray(at, at + size));
      this.rest = this.rest.subarray(at + size);
    }
  }

  took(type, body) {
    if (type >> 4 === 2 || type >> 4 === 9) this.next?.();
    if (type >> 4 === 4) {
      const id = body.readUInt16BE(0);
      this.waiting.get(id)?.();
      this.waiting.delete(id);
    }
    if (type >> 4 === 3) {
      const size = body.readUInt16BE(0);
      this.retained.set(body.subarray(2, 2 + size).toString(), body.subarray(2 + size + ((type >> 1) & 3 ? 2 : 0)).toString());
    }
  }

  // Send what is answered by the next CONNACK or SUBACK.
  asked(bytes) {
    return new Promise((resolve) => {
      this.next = resolve;
      this.socket.write(bytes);
    });
  }

  async subscribe(topic) {
    await this.asked(packet(0x82, Buffer.from([0, 1]), text(topic), Buffer.from([0])));
  }

  write(key, value) {
    this.id = (this.id % 65535) + 1;
    const id = Buffer.alloc(2);
    id.writeUInt16BE(this.id);
    const answered = new Promise((resolve) => this.waiting.set(this.id, resolve));
    // QoS 1, retained: the last value of a topic is the record.
    this.socket.write(packet(0x33, text(`records/${key}`), id, Buffer.from(`${value} ${FILLER}`)));
    return answered;
  }

  // A subscriber is given what the broker retained, right behind its answer.
  async read(key) {
    await this.subscribe(`records/${key}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return this.retained.get(`records/${key}`)?.split(' ')[0];
  }

  close() {
    this.socket.destroy();
  }
}

let names = 0;

export async function join(where) {
  const socket = net.connect({ port: where.port, host: '127.0.0.1', noDelay: true });
  const client = new Client(socket);
  // Clean session, no keep-alive.
  await client.asked(packet(0x10, text('MQTT'), Buffer.from([4, 2, 0, 0]), text(`c${process.pid}-${names++}`)));
  return client;
}

export async function listen(where, _, heard) {
  const client = await join(where);
  await client.subscribe('records/#');
  client.chunks = heard;
  return client;
}
