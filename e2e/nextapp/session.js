// A session of the app's own making: the cookie is what the gateway verifies.
export const options = { session: ['app.session'] };
