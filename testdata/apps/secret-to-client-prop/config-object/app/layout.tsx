import { Provider } from './provider';
import { getConfig } from '@/lib/config';

export default function Layout({ children }: { children: React.ReactNode }) {
  const config = getConfig();
  return (
    <html>
      <body>
        {/* the next line hands it over */}
        <Provider
          value={config} // want "secret-to-client-prop"
        >
          {children}
        </Provider>
      </body>
    </html>
  );
}
