// A page without a browser, for React in tests.
import { Window } from 'happy-dom';

const window = new Window({ url: 'http://app.example/' });
for (const name of ['window', 'document', 'HTMLElement', 'navigator', 'Node', 'Event', 'MouseEvent', 'HTMLIFrameElement']) globalThis[name] ??= name === 'window' ? window : window[name];
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

const { createRoot } = await import('react-dom/client');
const { act } = await import('react');
export { act };

/** Shows an element; `until` waits for a state of the page, whatever it takes. */
export async function show(element) {
  const place = document.body.appendChild(document.createElement('div'));
  const root = createRoot(place);
  await act(() => root.render(element));
  return {
    place,
    close: () => act(() => root.unmount()),
    async until(condition) {
      for (const end = Date.now() + 30_000; !condition(); ) {
        if (Date.now() > end) throw new Error(`it did not come about: ${condition}\n${place.textContent.slice(0, 500)}`);
        await act(() => new Promise((go) => setTimeout(go, 5)));
      }
    },
  };
}
