import NextAuth from 'next-auth';
import Credentials from 'next-auth/providers/credentials';

// Two people who sign in with a click, so that the example needs no identity
// provider. A real app lists its providers here and changes nothing else.
export const people = {
  ada: { id: 'user-ada', name: 'Ada', plan: 'free' },
  grace: { id: 'user-grace', name: 'Grace', plan: 'pro' },
};

export const { handlers, auth, signIn, signOut } = NextAuth({
  trustHost: true,
  session: { strategy: 'jwt' },
  providers: [
    Credentials({
      credentials: { person: {} },
      authorize: ({ person }) => people[person] ?? null,
    }),
  ],
  callbacks: {
    // What stands in the token is what the gateway's plans can ask for.
    jwt({ token, user }) {
      if (user) {
        token.sub = user.id;
        token.plan = user.plan;
      }
      return token;
    },
    session({ session, token }) {
      session.user.plan = token.plan;
      return session;
    },
  },
});
