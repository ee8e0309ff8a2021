// JSON over HTTP on connections that stay open, for peers that are asked rather than told.
import http from 'node:http';

export class Caller {
  constructor(port, base = '') {
    this.port = port;
    this.base = base;
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    this.bytesIn = 0;
    this.bytesOut = 0;
  }

  // The answer's status, headers and body; a connection that breaks is an error.
  ask(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const sent = body === undefined ? undefined : JSON.stringify(body);
      const request = http.request(
        {
          host: '127.0.0.1',
          port: this.port,
          path: this.base + path,
          method,
          agent: this.agent,
          headers: sent === undefined ? headers : { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) },
        },
        (response) => {
          const socket = response.socket;
          const before = socket.counted ?? 0;
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            this.bytesIn += socket.bytesRead - before;
            this.bytesOut += socket.bytesWritten - (socket.countedOut ?? 0);
            socket.counted = socket.bytesRead;
            socket.countedOut = socket.bytesWritten;
            const told = Buffer.concat(parts).toString();
            resolve({ status: response.statusCode, headers: response.headers, body: told === '' ? null : JSON.parse(told) });
          });
        },
      );
      request.setNoDelay(true);
      request.on('error', reject);
      request.end(sent);
    });
  }

  // The same, where anything but success is an error.
  async done(method, path, body, headers) {
    const answer = await this.ask(method, path, body, headers);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
    return answer.body;
  }

  close() {
    this.agent.destroy();
  }
}
