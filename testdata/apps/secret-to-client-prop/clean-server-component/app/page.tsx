import { Status } from './status';

export default function Page() {
  return <Status apiKey={process.env.STATUS_API_KEY} />;
}
