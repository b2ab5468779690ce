// Package admit takes from limits: requests in a time, calls in flight, tokens
// and money. The arithmetic is pure functions of a window's state and the
// time; Memory keeps the states of one process. Prices turns tokens into
// money, and AppendRateLimit tells callers how they stand.
package admit
