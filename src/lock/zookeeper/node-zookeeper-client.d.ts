/** Of npm node-zookeeper-client only the protocol's records are used: docs/decisions/0011-zookeeper-session-layer.md. */
declare module "node-zookeeper-client/lib/jute/index.js" {
  type Serialized = { byteLength(): number; serialize(buffer: Buffer, offset: number): number };
  type Deserialized = { deserialize(buffer: Buffer, offset: number): number };
  type RecordClass<Fields> = new (...fields: unknown[]) => Serialized & Deserialized & Fields;

  /** 64 bit integers are buffers of eight bytes. */
  type JuteStat = {
    czxid: Buffer;
    mzxid: Buffer;
    version: number;
    ephemeralOwner: Buffer;
    numChildren: number;
  };
  type JuteAcl = { toRecord(): Serialized };
  type JuteOperation =
    | { type: number; path: string; data: Buffer; acls: JuteAcl[]; mode: number }
    | { type: number; path: string; data: Buffer; version: number }
    | { type: number; path: string; version: number };

  const jute: {
    Request: new (header: Serialized | null, payload: Serialized | null) => { toBuffer(): Buffer };
    TransactionRequest: new (operations: JuteOperation[]) => Serialized;
    TransactionResponse: new () => Deserialized & { results: { type: number; err?: number }[] };
    data: {
      Id: RecordClass<unknown>;
      ACL: RecordClass<unknown>;
    };
    protocol: {
      ConnectRequest: RecordClass<unknown>;
      ConnectResponse: RecordClass<{ timeOut: number; sessionId: Buffer; passwd: Buffer | undefined }>;
      RequestHeader: RecordClass<unknown>;
      ReplyHeader: RecordClass<{ xid: number; err: number }>;
      AuthPacket: RecordClass<unknown>;
      ExistsRequest: RecordClass<unknown>;
      ExistsResponse: RecordClass<{ stat: JuteStat }>;
      GetDataRequest: RecordClass<unknown>;
      GetDataResponse: RecordClass<{ data: Buffer | undefined; stat: JuteStat }>;
      GetChildren2Request: RecordClass<unknown>;
      GetChildren2Response: RecordClass<{ children: string[] | undefined; stat: JuteStat }>;
      SetDataRequest: RecordClass<unknown>;
      SetDataResponse: RecordClass<{ stat: JuteStat }>;
      WatcherEvent: RecordClass<{ type: number; path: string }>;
    };
  };
  export = jute;
}
