package gateway

import "time"

var noDeadline time.Time

// commit sends the status line and the headers.
func (x *exchange) commit(status int) {
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
