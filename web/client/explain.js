// Explains a verdict in a sentence.

/** Why a file whose verdict is reached cannot be downloaded; `null` if it can. */
export function explain(info) {
  const result = info.scan_result;
  switch (info.scan_status) {
    case 'clean':
    case 'released': return null;
    case 'infected': return `Blocked: ${result?.signature ?? 'malware'} was found.`;
    case 'unscannable':
    case 'error': return result?.explanation ?? 'The file could not be checked.';
    default: return 'The file was removed.';
  }
}
