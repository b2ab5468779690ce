package gateway

import "time"

// unreadTime is how long the rest of a body is waited for that nobody wants any
// more: net/http reads it before it sends the answer, so that the connection
// can serve again.
const unreadTime = time.Second

var noDeadline time.Time

// commit sends the status line and the headers, which have to be taken within
// the time for stalled readers.
func (x *exchange) commit(status int) {
	if !x.bodyRead && x.r.ContentLength != 0 {
		_ = x.rc.SetReadDeadline(time.Now().Add(unreadTime))
	}
	x.setWriteDeadline()
	x.guardHeaders()
	x.committed = true
	x.event.Status = status
	x.event.FirstByte = x.g.options.Now().Sub(x.event.Started)
	x.w.WriteHeader(status)
}

// piece is how much a caller has to take within the time for stalled readers: a
// long answer over a slow line is slow and not stalled.
const piece = 256 << 10

// writeWhole writes the body of an answer that is no stream.
func (x *exchange) writeWhole(b []byte) {
	for len(b) > 0 {
		n, err := x.w.Write(b[:min(len(b), piece)])
		if err != nil {
			x.event.CallerGone = true
			return
		}
		b = b[n:]
		x.setWriteDeadline()
	}
}

func (x *exchange) setWriteDeadline() {
	// An error means that the connection has no deadlines (a recorder in a
	// test); there is nobody to stall then.
	_ = x.rc.SetWriteDeadline(time.Now().Add(x.g.options.Stall))
}
