import { LockRefused, LockUnknown } from "../../errors.ts";
import { type Json, json_of, parse_json } from "../json.ts";
import type { Credentials } from "../lock.ts";
import type { Compare, EtcdApi, KeyValue, Operation, TxnAnswer, WatchEvent } from "./api.ts";
import { ConnectionError, Endpoint, type Reply, secure_context } from "./endpoint.ts";
import {
  auth_is_off,
  connection_error,
  error_of,
  lease_is_gone,
  not_etcd,
  type Refusal,
  read_refusal,
  token_is_stale,
  unknown,
  user_is_wanted,
} from "./refusals.ts";
import type { EtcdTarget } from "./target.ts";
import {
  base64,
  cluster_of,
  int64,
  key_values,
  prefix_end,
  revision_of,
  txn_answer,
  txn_request,
  watch_events,
} from "./wire.ts";

export type GatewayOptions = {
  /** How long one request may take in all. */
  attempt_ms: number;
  credentials?: Credentials;
  on_note?: (sentence: string) => void;
};

/** EtcdApi over the JSON gateway that etcd 3.4 and newer serve on their client port (docs/decisions/0010). */
export class EtcdGateway implements EtcdApi {
  readonly #target: EtcdTarget;
  #endpoints: Endpoint[];
  #certificates = "";
  readonly #options: GatewayOptions;
  #current = 0;
  #answered: Endpoint | undefined;
  #cluster: string | undefined;
  #token: string | undefined;
  #auth_is_off = false;

  constructor(target: EtcdTarget, options: GatewayOptions) {
    this.#target = target;
    this.#options = options;
    this.#endpoints = this.#make_endpoints();
  }

  #make_endpoints(): Endpoint[] {
    const { credentials = {} } = this.#options;
    const { ca, cert, key } = credentials;
    const secure = this.#target.tls ? secure_context(credentials) : null;
    this.#certificates = JSON.stringify([ca, cert, key]);
    return this.#target.endpoints.map((address) => new Endpoint(address, secure, cert !== undefined));
  }

  /** Their owner may have changed the certificates: new connections are made with the new ones. */
  #heed_credentials(): void {
    const { ca, cert, key } = this.#options.credentials ?? {};
    if (!this.#target.tls || this.#certificates === JSON.stringify([ca, cert, key])) return;
    const old = this.#endpoints;
    this.#endpoints = this.#make_endpoints();
    for (const [index, endpoint] of this.#endpoints.entries()) endpoint.known = old[index]?.known ?? false;
    this.#answered = undefined;
    for (const endpoint of old) endpoint.close();
  }

  async grant(ttl_s: number): Promise<{ lease: bigint; ttl_s: number }> {
    const { ID, TTL } = await this.#call("/v3/lease/grant", { TTL: String(ttl_s) });
    return { lease: int64(ID), ttl_s: Number(int64(TTL)) };
  }

  async revoke(lease: bigint): Promise<void> {
    await this.#call("/v3/lease/revoke", { ID: String(lease) }, lease_is_gone);
  }

  async keep_alive(lease: bigint): Promise<number> {
    const { result } = await this.#call("/v3/lease/keepalive", { ID: String(lease) });
    return Number(int64(json_of(result).TTL));
  }

  async txn(compare: Compare[], success: Operation[], failure: Operation[]): Promise<TxnAnswer> {
    const answer = await this.#call("/v3/kv/txn", txn_request(compare, success, failure));
    return txn_answer(answer, success, failure);
  }

  async range(key: string, { prefix = false } = {}): Promise<{ kvs: KeyValue[]; revision: bigint }> {
    const keys = { key: base64(key), ...(prefix && { range_end: prefix_end(key) }) };
    const answer = await this.#call("/v3/kv/range", keys);
    return { kvs: key_values(answer), revision: revision_of(answer) };
  }

  async count(prefix: string): Promise<number> {
    const keys = { key: base64(prefix), range_end: prefix_end(prefix) };
    return Number(int64((await this.#call("/v3/kv/range", { ...keys, count_only: true })).count));
  }

  async keys(prefix: string): Promise<string[]> {
    const keys = { key: base64(prefix), range_end: prefix_end(prefix), keys_only: true };
    return key_values(await this.#call("/v3/kv/range", keys)).map(({ key }) => key);
  }

  async watch(
    key: string,
    after_revision: bigint,
    on_event: (event: WatchEvent) => void,
    abort: AbortSignal,
  ): Promise<void> {
    const token = await this.#have_token(performance.now() + this.#options.attempt_ms);
    const endpoint = this.#endpoint();
    const body = JSON.stringify({
      create_request: { key: base64(key), start_revision: String(after_revision + 1n) },
    });
    const ended = new AbortController();
    const late = setTimeout(() => ended.abort(), this.#options.attempt_ms);
    const on_line = (line: string): void => {
      clearTimeout(late);
      const events = watch_events(line);
      if (events === null) return ended.abort();
      for (const event of events) if (!ended.signal.aborted) on_event(event);
    };
    const request = { path: "/v3/watch", body, token };
    try {
      await endpoint.stream(request, on_line, AbortSignal.any([abort, ended.signal]));
      // It may have ended because the token is stale, which isn't always said.
      if (!abort.aborted) this.#token = undefined;
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      throw connection_error(error, endpoint);
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  /** One request and its answer. fine: a refusal that is an answer, too. */
  async #call(path: string, body: Json, fine: (refusal: Refusal) => boolean = () => false): Promise<Json> {
    const end_ms = performance.now() + this.#options.attempt_ms;
    const request = { path, body: JSON.stringify(body) };
    for (let attempt = 0; ; attempt++) {
      const { endpoint, reply } = await this.#post(
        { ...request, token: await this.#have_token(end_ms) },
        end_ms,
      );
      if (reply.status === 200) return this.#believe(endpoint, reply);
      const refusal = read_refusal(reply.status, reply.body);
      if (fine(refusal)) return {};
      if (attempt === 0 && this.#may_mend(refusal)) continue;
      if (reply.status >= 500) this.#leave(endpoint);
      throw error_of(refusal, endpoint.name, endpoint.known);
    }
  }

  /**
   * To the endpoint in use; to the next ones as well when it certainly hasn't got the request. After it has, another try
   * would be another request, which is the caller's decision.
   */
  async #post(request: { path: string; body: string; token: string | undefined }, end_ms: number) {
    this.#heed_credentials();
    let refused: LockRefused | undefined;
    for (let left = this.#endpoints.length; ; left--) {
      const endpoint = this.#endpoint();
      const connect_ms = (end_ms - performance.now()) / left;
      try {
        return { endpoint, reply: await endpoint.post(request, { end_ms, connect_ms }) };
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        this.#leave(endpoint);
        const failure = connection_error(error, endpoint);
        if (failure instanceof LockRefused) refused ??= failure;
        if (error.sent || left === 1 || performance.now() >= end_ms)
          throw error.sent ? failure : (refused ?? failure);
      }
    }
  }

  #believe(endpoint: Endpoint, { body }: Reply): Json {
    const answer = parse_json(body);
    const cluster_id = cluster_of(answer);
    if (cluster_id === undefined)
      throw endpoint.known
        ? unknown(endpoint.name, "not its own words")
        : not_etcd(endpoint.name, "no cluster id");
    this.#cluster ??= cluster_id;
    if (this.#cluster !== cluster_id)
      throw new LockRefused(
        `etcd at ${endpoint.name} is of another cluster (${cluster_id}) than the one seen first (${this.#cluster})`,
        endpoint.name,
        "check that all endpoints of --lock are members of one cluster, and that it wasn't replaced",
      );
    if (this.#answered && this.#answered !== endpoint)
      this.#options.on_note?.(`etcd at ${this.#answered.name} failed, ${endpoint.name} answers`);
    this.#answered = endpoint;
    endpoint.known = true;
    return answer;
  }

  /** undefined: none is needed. */
  async #have_token(end_ms: number): Promise<string | undefined> {
    const { user, password } = this.#options.credentials ?? {};
    if (user === undefined || this.#auth_is_off) return undefined;
    if (this.#token !== undefined) return this.#token;
    const body = JSON.stringify({ name: user, password: password ?? "" });
    const { endpoint, reply } = await this.#post(
      { path: "/v3/auth/authenticate", body, token: undefined },
      end_ms,
    );
    if (reply.status === 200) {
      const { token } = this.#believe(endpoint, reply);
      return (this.#token = typeof token === "string" ? token : "");
    }
    const refusal = read_refusal(reply.status, reply.body);
    if (reply.status >= 500) this.#leave(endpoint);
    if (!auth_is_off(refusal)) throw error_of(refusal, endpoint.name, endpoint.known);
    this.#auth_is_off = true;
    this.#options.on_note?.(
      `etcd at ${endpoint.name} asks nobody for a password: whoever reaches it can end the lease`,
    );
    return undefined;
  }

  /** By asking for a new token, or for the first one since etcd began to want one. */
  #may_mend(refusal: Refusal): boolean {
    const had = this.#token !== undefined || this.#auth_is_off;
    this.#token = undefined;
    this.#auth_is_off = false;
    return had && (token_is_stale(refusal) || user_is_wanted(refusal));
  }

  #endpoint(): Endpoint {
    const endpoint = this.#endpoints[this.#current];
    if (endpoint === undefined)
      throw new LockUnknown("no endpoint of etcd is given", "", "name one in --lock");
    return endpoint;
  }

  /** It failed or was late: the next request goes to the next one. */
  #leave(endpoint: Endpoint): void {
    endpoint.break_streams();
    if (this.#endpoint() !== endpoint || this.#endpoints.length === 1) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }
}
