import { auth } from '@/auth';

type Handler = (req: Request, user: { id: string }) => Promise<Response>;

export function withUser(handler: Handler) {
  return async (req: Request) => {
    const session = await auth();
    if (!session?.user?.id) {
      return new Response('Unauthorized', { status: 401 });
    }
    return handler(req, { id: session.user.id });
  };
}
