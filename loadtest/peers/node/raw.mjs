// A WebSocket client (RFC 6455) that parses frames only while asked to: thousands of listeners must cost the load less
// than they cost the server that is measured.
import { randomBytes } from 'node:crypto';
import net from 'node:net';

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 8;
const PING = 9;

// Encode one whole message, masked as a client must. The mask may be zeros: it guards proxies, and none is here.
export function frame(payload, opcode = typeof payload === 'string' ? TEXT : BINARY) {
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const size = body.length;
  const extra = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const out = Buffer.allocUnsafe(6 + extra + size);
  out[0] = opcode;
  out[1] = 0x80 | (extra === 0 ? size : extra === 2 ? 126 : 127);
  if (extra === 2) out.writeUInt16BE(size, 2);
  if (extra === 8) out.writeBigUInt64BE(BigInt(size), 2);
  out.fill(0, 2 + extra, 6 + extra);
  out.set(body, 6 + extra);
  return out;
}

export class RawSocket {
  // Resolves once the server has upgraded the connection.
  static open(port, path = '/', { protocol, headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      const raw = new RawSocket(socket);
      raw._upgraded = () => resolve(raw);
      raw._refused = reject;
      socket.on('error', (error) => reject(error));
      const lines = [
        `GET ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        'Sec-WebSocket-Version: 13',
        ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    });
  }

  constructor(socket) {
    this.socket = socket;
    this.messages = () => {}; // whole messages: (Buffer, isText)
    this.chunks = null; // when set, bytes as they come, unparsed
    this._rest = Buffer.alloc(0);
    this._parts = [];
    this._open = false;
    socket.on('data', (chunk) => this._came(chunk));
  }

  get bytesIn() {
    return this.socket.bytesRead;
  }

  get bytesOut() {
    return this.socket.bytesWritten;
  }

  send(payload) {
    this.socket.write(frame(payload));
  }

  close() {
    this.socket.destroy();
  }

  _came(chunk) {
    if (this.chunks !== null) {
      this.chunks(chunk);
      return;
    }
    this._rest = this._rest.length === 0 ? chunk : Buffer.concat([this._rest, chunk]);
    if (!this._open) this._greet();
    else this._parse();
  }

  _greet() {
    const end = this._rest.indexOf('\r\n\r\n');
    if (end < 0) return;
    const status = this._rest.subarray(0, end).toString('latin1');
    this._rest = this._rest.subarray(end + 4);
    if (!status.startsWith('HTTP/1.1 101')) {
      this._refused(new Error(`no WebSocket: ${status.split('\r\n')[0]}`));
      return;
    }
    this._open = true;
    this._upgraded();
    // What came with the answer waits until whoever opened it has said where messages go.
    setImmediate(() => this._parse());
  }

  _parse() {
    let at = 0;
    const data = this._rest;
    while (data.length - at >= 2) {
      const opcode = data[at] & 0x0f;
      const final = (data[at] & 0x80) !== 0;
      let size = data[at + 1] & 0x7f;
      let head = 2;
      if (size === 126) {
        if (data.length - at < 4) break;
        size = data.readUInt16BE(at + 2);
        head = 4;
      } else if (size === 127) {
        if (data.length - at < 10) break;
        size = Number(data.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (data.length - at < head + size) break;
      const body = data.subarray(at + head, at + head + size);
      at += head + size;
      if (opcode === PING) this.socket.write(frame(body, 0x8a));
      else if (opcode === CLOSE) this.socket.destroy();
      else if (opcode <= 2) this._piece(opcode, final, body);
    }
    this._rest = at === 0 ? data : data.subarray(at);
  }

  _piece(opcode, final, body) {
    if (opcode !== 0) this._text = opcode === 1;
    if (final && this._parts.length === 0) {
      this.messages(body, this._text);
      return;
    }
    this._parts.push(body);
    if (final) {
      const whole = Buffer.concat(this._parts);
      this._parts = [];
      this.messages(whole, this._text);
    }
  }
}
