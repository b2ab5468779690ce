package gateway

import "time"

// unreadTime is how long the rest of a body is waited for that nobody wants any
// more: net/http reads it before it sends the answer, so that the connection
// can serve again.
const unreadTime = time.Second

var noDeadline time.Time

// commit sends the status line and the headers. A deadline for writing them is
// set each time, because that of the connection's last answer still stands.
func (x *exchange) commit(status int) {
	if !x.bodyRead && x.r.ContentLength != 0 {
		_ = x.rc.SetReadDeadline(time.Now().Add(unreadTime))
	}
	x.setWriteDeadline()
	x.committed = true
	x.event.Status = status
	x.event.FirstByte = x.g.options.Now().Sub(x.event.Started)
	x.w.WriteHeader(status)
}

func (x *exchange) setWriteDeadline() {
	// An error means that the connection has no deadlines (a recorder in a
	// test); there is nobody to stall then.
	_ = x.rc.SetWriteDeadline(time.Now().Add(x.g.options.Stall))
}
