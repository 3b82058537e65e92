import { ConfigError } from "../errors.ts";
import { has_tls, type LockUrl } from "./lock-url.ts";
import { read_file } from "./read-file.ts";
import type { Values } from "./values.ts";

/** The files' contents; never logged. */
export type Credentials = { user?: string; password?: string; ca?: string; cert?: string; key?: string };

/** Checks that the credentials fit together and to the URL, and reads their files. */
export function read_credentials(values: Values, lock: LockUrl): Credentials {
  const file = values["lock-password-file"];
  const user = values["lock-user"];
  const { "lock-ca-file": ca, "lock-cert-file": cert, "lock-key-file": key } = values;
  const refuse = (what: string, remedy: string): never => {
    throw new ConfigError(what, "", remedy);
  };
  if (file !== undefined && values["lock-password"] !== undefined) {
    refuse("both --lock-password-file and LEASEHOLD_LOCK_PASSWORD are given", "give one");
  }
  const with_password = file !== undefined || values["lock-password"] !== undefined;
  if (with_password && user === undefined) refuse("a password is given, but no user", "give --lock-user");
  if (user !== undefined && !with_password) {
    refuse("--lock-user is given, but no password", "give --lock-password-file or LEASEHOLD_LOCK_PASSWORD");
  }
  const local = lock.endpoints.length === 0;
  if (user !== undefined && local) refuse(`a ${lock.scheme} lock has no users`, "leave --lock-user out");
  if ((ca ?? cert ?? key) !== undefined && !has_tls(lock)) {
    const remedy = local ? "leave them out" : `write ${lock.scheme}s://`;
    refuse(`--lock-ca-file, --lock-cert-file and --lock-key-file have no meaning for ${lock.scheme}`, remedy);
  }
  if ((cert === undefined) !== (key === undefined)) {
    refuse(
      `--lock-${cert === undefined ? "key" : "cert"}-file is given alone`,
      "give the certificate and its key",
    );
  }
  const password = file === undefined ? values["lock-password"] : read_password(file);
  return {
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca: read_pem(ca, "authorities'", "CERTIFICATE") }),
    ...(cert !== undefined && { cert: read_pem(cert, "certificate", "CERTIFICATE") }),
    ...(key !== undefined && { key: read_pem(key, "private key", "PRIVATE KEY") }),
  };
}

function read_password(path: string): string {
  const password = read_file(path, "the password file", 4096).replace(/\r?\n$/, "");
  if (password === "") throw new ConfigError("the password file is empty", path, "put the password into it");
  if (/[\0\r\n]/.test(password)) {
    throw new ConfigError("the password file has more than one line", path, "put only the password into it");
  }
  return password;
}

/** Only that it is the right kind of file: what is inside, TLS judges. */
function read_pem(path: string, what: string, label: string): string {
  const text = read_file(path, `the ${what} file`, 1_000_000);
  if (!new RegExp(`-----BEGIN [A-Z ]*${label}-----`).test(text)) {
    throw new ConfigError(`the ${what} file holds no PEM ${label}`, path, `it has to have BEGIN … ${label}`);
  }
  return text;
}
