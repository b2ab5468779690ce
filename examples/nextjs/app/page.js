import { auth } from '../auth';
import { enter, leave } from './actions';
import Chat from './chat';
import Tidy from './tidy';

export default async function Page({ searchParams }) {
  const session = await auth();
  const { via } = await searchParams;
  const base = via === 'rewrite' ? '/rewrite' : '/api/ai';
  return (
    <main>
      <header>
        <h1>Writing desk</h1>
        {session?.user ? (
          <form action={leave}>
            <p>
              Signed in as <strong>{session.user.name}</strong> <span className="badge">{session.user.plan}</span>
            </p>
            <button className="quiet">Sign out</button>
          </form>
        ) : (
          <form action={enter} className="people">
            <button name="person" value="ada">Sign in as Ada (free)</button>
            <button name="person" value="grace">Sign in as Grace (pro)</button>
          </form>
        )}
      </header>
      <Tidy />
      <Chat base={base} plan={session?.user?.plan} />
      <p className="note">
        The chat reaches the gateway through {via === 'rewrite' ? 'a rewrite' : 'a Route Handler'}.{' '}
        <a href={via === 'rewrite' ? '/' : '/?via=rewrite'}>Use {via === 'rewrite' ? 'the Route Handler' : 'the rewrite'} instead</a>
      </p>
    </main>
  );
}
