'use client';

export function Voice() {
  async function start() {
    const { value } = await (await fetch('/api/realtime', { method: 'POST' })).json();
    const peer = new RTCPeerConnection();
    const offer = await peer.createOffer();
    await fetch('https://api.openai.com/v1/realtime/calls?model=gpt-realtime', { method: 'POST', body: offer.sdp, headers: { authorization: `Bearer ${value}`, 'content-type': 'application/sdp' } });
  }
  return <button onClick={start}>Talk</button>;
}
