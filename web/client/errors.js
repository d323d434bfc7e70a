// The errors of this client, as one class.

/**
 * A refusal by Airlock, by storage, or by the network. `code` is stable; `message` is for people. `storageUrl` is the origin of
 * the storage that could not be reached. `acceptedExtensions` are those that the service accepts, if the file's is not among them.
 */
export class AirlockError extends Error {
  constructor(message, { status = 0, code = 'network', reason, acceptedExtensions, requestId, retryAfter, isOfStorage = false, storageUrl } = {}) {
    super(message);
    this.name = 'AirlockError';
    Object.assign(this, { status, code, reason, acceptedExtensions, requestId, retryAfter, isOfStorage, storageUrl });
  }
}

/** Makes an error from `application/problem+json` (RFC 9457), or from the status alone. */
export async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  return new AirlockError(body.detail ?? `The service answered ${response.status}.`, {
    status: response.status,
    code: body.code ?? 'unknown',
    reason: body.reason,
    acceptedExtensions: body.accepted_extensions,
    requestId: body.requestId,
    retryAfter: Number(response.headers.get('retry-after')) || undefined,
  });
}

export const aborted = () => new DOMException('The upload was aborted.', 'AbortError');
