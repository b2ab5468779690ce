import { subscribe } from './actions';

export default function Page() {
  const action = subscribe.bind(null, process.env.MAIL_API_KEY!); // want "secret-to-client-prop"
  return <form action={action}><input name="email" /></form>;
}
