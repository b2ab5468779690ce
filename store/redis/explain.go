package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"
)

// What can be said of a failure. Errors of the network and of go-redis name the
// address, and those of the server the user, so none of them is passed on.
var (
	errSlow     = errors.New("redis: no answer within the time limit")
	errCrowded  = errors.New("redis: all connections are busy")
	errClosed   = errors.New("redis: it is closed here")
	errName     = errors.New("redis: its host name cannot be resolved")
	errRefused  = errors.New("redis: nothing listens at its address")
	errDial     = errors.New("redis: it cannot be connected to")
	errTLS      = errors.New("redis: TLS failed: the server does not speak it, or its certificate is not trusted or not for this host")
	errBroken   = errors.New("redis: the connection broke")
	errLoading  = errors.New("redis: it is still loading its data")
	errNotAsked = errors.New("redis: the caller left before it was asked")
)

// replies are the errors of a server that have a remedy, by how they begin.
var replies = []struct {
	prefix string
	err    error
}{
	{"NOAUTH", errors.New("redis: it wants a password")},
	{"WRONGPASS", errors.New("redis: the user or the password is wrong")},
	{"ERR AUTH", errors.New("redis: it has no password set, but one was given")},
	{"NOPERM", errors.New("redis: the user may not do what is needed; see the section on Redis in docs/limits.md")},
	{"LOADING", errLoading},
	{"READONLY", errors.New("redis: it is a replica now")},
	{"MASTERDOWN", errors.New("redis: it has lost its primary")},
	{"NOREPLICAS", errors.New("redis: too few of its replicas can be reached")},
	{"OOM", errors.New("redis: its memory is full")},
	{"MISCONF", errors.New("redis: it takes no writes because it cannot save its data")},
	{"BUSY", errors.New("redis: somebody's script keeps it busy")},
	{"ERR max number of clients", errors.New("redis: it has too many clients")},
	{"ERR invalid DB index", errors.New("redis: it has no database of that number")},
	{"ERR DB index", errors.New("redis: it has no database of that number")},
}

// explain says what failed without a part of the address, the user or the
// password.
func explain(err error) error {
	if err == nil || errors.Is(err, errUnfit) {
		return err
	}
	if isReply(err) {
		return explainReply(err)
	}
	_, unresolved := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, otherwise := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return errNotAsked
	case errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted):
		return errCrowded
	case errors.Is(err, goredis.ErrClosed):
		return errClosed
	case unresolved:
		return errName
	case untrusted, otherwise, alert:
		return errTLS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return errSlow
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return errRefused
	case isDial(err):
		return errDial
	default:
		return errBroken
	}
}

func explainReply(err error) error {
	for _, r := range replies {
		if goredis.HasErrorPrefix(err, r.prefix) {
			return r.err
		}
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	if len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		word = "unnamed"
	}
	return fmt.Errorf("redis: the server answered with an error of the kind %s", word)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// neverSent reports whether a call failed before anything was sent.
func neverSent(err error) bool {
	_, unresolved := errors.AsType[*net.DNSError](err)
	return unresolved || isDial(err) || errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrPoolExhausted) ||
		errors.Is(err, goredis.ErrClosed)
}

// isReply reports whether the server answered, if only with an error. A script
// that it refuses has taken nothing.
func isReply(err error) bool {
	_, ok := errors.AsType[goredis.Error](err)
	return ok && !errors.Is(err, goredis.Nil)
}

// mayHaveRun reports whether a script may have run though its answer did not
// come.
func mayHaveRun(err error) bool { return !isReply(err) && !neverSent(err) }

// isFull reports whether the server only lacks room to take more. It still lets
// holds be closed, which makes room.
func isFull(err error) bool { return goredis.HasErrorPrefix(err, "OOM") }
