// Package load makes the calls of a measurement: as many as go through in a
// closed loop, a fixed number a second in an open one, streams that are counted
// to their end, streams that stay open, calls that their caller gives up.
//
// Its HTTP client does no more than that takes. A full one would cost more
// processor time than nginx needs to serve the call, and on a machine that all
// share it would make every candidate look alike.
package load
