/** The plan, and what is left of its limits, as the last answer told. */
export default function Usage({ plan, limits }) {
  return (
    <section aria-labelledby="usage-title">
      <h2 id="usage-title">Your plan and what is left of it</h2>
      {!plan && <p className="note">Sign in to have a plan.</p>}
      {plan && limits.length === 0 && <p className="note">You are on the {plan} plan. What is left shows after your first message.</p>}
      {limits.map((l) => (
        <p key={l.name} className="left">
          <label htmlFor={l.name}>{words(l)}</label>
          <meter id={l.name} min={0} max={l.limit} value={l.remaining} low={l.limit / 5} />
          <span>{amount(l, l.remaining)} of {amount(l, l.limit)}</span>
        </p>
      ))}
    </section>
  );
}

const periods = { minute: 'a minute', hour: 'an hour', day: 'today', month: 'this month' };

function words({ name, unit }) {
  const what = unit.startsWith('micro-') ? 'Spending' : unit === 'concurrent-requests' ? 'Calls at once' : unit === 'tokens' ? 'Tokens' : 'Requests';
  return `${what} ${periods[name.split('-').at(-1)] ?? ''}`.trim();
}

function amount({ unit }, n) {
  if (!unit.startsWith('micro-')) return n.toLocaleString('en');
  return (n / 1e6).toLocaleString('en', { style: 'currency', currency: unit.slice(6).toUpperCase() });
}
