import Form from './form';

export const dynamic = 'force-dynamic';

export default function Page() {
  return <Form />;
}
