// The way from the browser to the gateway. The session cookie becomes a bearer
// here, once it is clear that a page of this app asked.
import { createRouteHandler } from '@claviger/next';

export const { GET, POST, DELETE } = createRouteHandler();
