import { load } from '../lib/load';

const fetchPosts = () => load();

export async function getServerSideProps() {
  return { props: { posts: await fetchPosts() } };
}

export default function Home({ posts }: { posts: { title: string }[] }) {
  return <ul>{posts.map((p) => <li key={p.title}>{p.title}</li>)}</ul>;
}
