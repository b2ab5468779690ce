package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Child is a running program with all that it started, a process group of its own.
type Child struct {
	PID  int
	name string
	cmd  *exec.Cmd
	tail tail
	done chan struct{} // closed when it has ended
	end  error         // valid once done is closed
}

// Command says what to start.
type Command struct {
	Name string // for messages
	Path string
	Args []string
	Env  []string // the whole environment
	Dir  string
}

// Start starts a program. It is killed with its group when ctx ends, and by the
// system when this process is. What it writes to standard error is kept.
func Start(ctx context.Context, c Command) (*Child, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	t, err := newTail()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = t.f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		_ = t.f.Close()
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	ch := &Child{PID: cmd.Process.Pid, name: c.Name, cmd: cmd, tail: t, done: make(chan struct{})}
	go func() {
		ch.end = cmd.Wait()
		close(ch.done)
	}()
	return ch, nil
}

// Stop asks the program to end, and kills its group when it has not within 5 s.
func (c *Child) Stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	t := time.NewTimer(5 * time.Second)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	}
	if c.group() {
		_ = syscall.Kill(-c.PID, syscall.SIGKILL)
	}
	<-c.done
	_ = c.tail.f.Close()
}

// group reports whether the process group still has a member. Only then may it
// be sent a signal: its number may be someone else's later.
func (c *Child) group() bool { return syscall.Kill(-c.PID, 0) == nil }

// Alive returns nil while the program runs, and what it said last when it ended.
func (c *Child) Alive() error {
	select {
	case <-c.done:
		return c.ended()
	default:
		return nil
	}
}

func (c *Child) ended() error {
	return fmt.Errorf("%s ended (%w); it said: %s", c.name, orEnd(c.end), c.tail)
}

var errExit = errors.New("exit status 0")

func orEnd(err error) error {
	if err == nil {
		return errExit
	}
	return err
}

var errNotReady = errors.New("not ready in time")

// Await calls ready every 2 ms until it returns true, for at most patience.
func (c *Child) Await(ctx context.Context, patience time.Duration, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx) {
		select {
		case <-c.done:
			return c.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; it said: %s", c.name, errNotReady, c.tail)
		case <-tick.C:
		}
	}
	return nil
}

// Accepts reports whether something listens at addr.
func Accepts(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// FreePort returns an address on loopback that nobody listens at now.
func FreePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("free port: %w", err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String(), nil
}

// RaiseFileLimit lets this process and its children have as many files open as
// the system permits, and fails when that is less than want.
func RaiseFileLimit(want uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("file limit: %w", err)
	}
	if l.Max < want && os.Geteuid() == 0 {
		l.Max = want
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("raise the file limit to %d: %w", l.Max, err)
	}
	if l.Cur < want {
		return fmt.Errorf("%w: %d open files are permitted and %d needed (ulimit -Hn)", errFiles, l.Cur, want)
	}
	return nil
}

var errFiles = errors.New("file limit too low")

// tail is a file without a name that a program writes to by itself: whoever
// writes a line for each request is not to cost this process anything for it.
type tail struct{ f *os.File }

const tailSize = 2 << 10

func newTail() (tail, error) {
	f, err := os.CreateTemp("", "claviger-bench-log-")
	if err != nil {
		return tail{}, fmt.Errorf("log: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return tail{}, errors.Join(fmt.Errorf("log: %w", err), f.Close())
	}
	return tail{f: f}, nil
}

// String is the end of what the program said.
func (t tail) String() string {
	info, err := t.f.Stat()
	if err != nil {
		return err.Error()
	}
	b := make([]byte, min(info.Size(), tailSize))
	n, err := t.f.ReadAt(b, info.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return string(b[:n])
}
