/** Calls of the API server, through the web server's `/api` proxy and with the session cookie. */

/** An error that the API answered, or 0/0 when it could not be reached. */
export class ApiError extends Error {
  readonly code: number;
  readonly subcode: number;

  constructor(code: number, subcode: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.subcode = subcode;
  }
}

interface Envelope {
  meta?: { result_code: number; result_subcode: number; result_msg: string };
  data?: unknown;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Sign in with a name and a password instead of the session cookie. */
  basic?: { name: string; password: string };
}

/** Calls one endpoint and answers its `data`. */
export async function call<T>(endpoint: string, request: object = {}, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (options.basic) {
    headers.Authorization = `Basic ${btoa(`${options.basic.name}:${options.basic.password}`)}`;
  }
  const response = await fetch(new URL(`api/v2.31/${endpoint}`, document.baseURI), {
    method: "POST",
    headers,
    body: JSON.stringify(request),
    signal: options.signal ?? null,
  }).catch((reason: unknown) => {
    if (options.signal?.aborted) throw reason;
    throw new ApiError(0, 0, "The server can't be reached");
  });
  const envelope = (await response.json().catch(() => ({}))) as Envelope;
  if (!response.ok || !envelope.meta) {
    const { result_code = response.status, result_subcode = 0, result_msg } = envelope.meta ?? {};
    throw new ApiError(result_code, result_subcode, result_msg ?? `The server answered ${response.status}`);
  }
  return envelope.data as T;
}
