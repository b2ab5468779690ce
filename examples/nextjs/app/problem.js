/** A failure in the words of the gateway, which are fit to be shown, and when to come back. */
export default function Problem({ id, error, retryAfter }) {
  return (
    <p className="error" role="alert" id={id}>
      {error}
      {retryAfter !== undefined && `. Try again in ${wait(retryAfter)}.`}
    </p>
  );
}

function wait(seconds) {
  if (seconds < 120) return seconds === 1 ? 'a second' : `${seconds} seconds`;
  return seconds < 7200 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3600)} hours`;
}
