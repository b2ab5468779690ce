package worker

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"claviger.dev/claviger/internal/check/facts"
)

// The reasons why a file was not parsed that lie in the file.
var (
	// ErrTooLong is told for a file over MaxText.
	ErrTooLong = errors.New("longer than a source file may be")
	// ErrTooSlow is told when the deadline passed.
	ErrTooSlow = errors.New("took longer than a file may take")
	// ErrDied is told when the worker ended over the file.
	ErrDied = errors.New("made for the parser to end")
)

// MaxText is how long a text may be, in bytes.
const MaxText = 2 << 20

// Options are how a pool works. The zero value starts this very binary.
type Options struct {
	// Command is the program and its arguments. It defaults to the running
	// binary and Arg.
	Command []string
	// Size is how many workers run at once, 2 by default.
	Size int
	// Deadline is how much of a processor's time one file may take, 5 s by
	// default. Time that a busy machine gives to others does not count, so that a
	// file is not taken for a hostile one there. Twelve times as much time on the
	// clock ends a file in any case.
	Deadline time.Duration
}

// patience is how many times its Deadline a file may take on the clock.
const patience = 12

// Pool keeps workers. It is safe for concurrent use; close it when done.
type Pool struct {
	opts Options
	idle chan *process
}

// New makes a pool. Workers start when they are needed.
func New(opts Options) (*Pool, error) {
	if len(opts.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("the parser's process cannot be started: %w", err)
		}
		opts.Command = []string{self, Arg}
	}
	if opts.Size <= 0 {
		opts.Size = 2
	}
	if opts.Deadline <= 0 {
		opts.Deadline = 5 * time.Second
	}
	p := &Pool{opts: opts, idle: make(chan *process, opts.Size)}
	for range opts.Size {
		p.idle <- nil
	}
	return p, nil
}

// Size is how many workers run at once.
func (p *Pool) Size() int { return p.opts.Size }

// Close ends the workers. No Parse may run or follow.
func (p *Pool) Close() {
	for range p.opts.Size {
		if w := <-p.idle; w != nil {
			w.end()
		}
	}
}

// Parse reads one file. It waits for a worker to be free, then until the
// file is read or has taken its Deadline. Every error but one of ctx and one of starting the process means
// that the file is at fault; the pool goes on.
func (p *Pool) Parse(ctx context.Context, name, text string) (*facts.Node, error) {
	if len(text) > MaxText {
		return nil, ErrTooLong
	}
	var w *process
	select {
	case w = <-p.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { p.idle <- w }()
	if w == nil {
		var err error
		if w, err = start(p.opts.Command); err != nil {
			return nil, &StartError{Err: err}
		}
	}
	root, err := w.parse(ctx, p.opts.Deadline, name, text)
	if w.spent {
		w.end()
		if errors.Is(err, ErrDied) && w.cmd.ProcessState != nil && w.cmd.ProcessState.ExitCode() == exitLate {
			err = ErrTooSlow
		}
		w = nil
	}
	return root, err
}

// StartError is told when a worker cannot be started at all.
type StartError struct{ Err error }

// Error implements error.
func (e *StartError) Error() string {
	return "the parser's process cannot be started: " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }

// process is one worker.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	w     *bufio.Writer
	r     *bufio.Reader
	spent bool
}

func start(command []string) (*process, error) {
	//nolint:gosec,noctx // the command is our own; a worker outlives one file, and end stops it
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{"GOTRACEBACK=none"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, w: bufio.NewWriterSize(in, 64<<10), r: bufio.NewReaderSize(out, 64<<10)}, nil
}

func (w *process) end() {
	_ = w.in.Close()
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

type answer struct {
	root *facts.Node
	err  error
	died bool
}

func (w *process) parse(ctx context.Context, deadline time.Duration, name, text string) (*facts.Node, error) {
	done := make(chan answer, 1)
	go func() { done <- w.ask(deadline, name, text) }()
	timer := time.NewTimer(patience * deadline)
	defer timer.Stop()
	var why error
	select {
	case a := <-done:
		w.spent = a.died
		return a.root, a.err
	case <-timer.C:
		why = ErrTooSlow
	case <-ctx.Done():
		why = ctx.Err()
	}
	w.spent = true
	_ = w.cmd.Process.Kill()
	<-done
	return nil, why
}

func (w *process) ask(deadline time.Duration, name, text string) answer {
	dead := answer{err: ErrDied, died: true}
	if writeFrame(w.w, binary.BigEndian.AppendUint64(nil, uint64(deadline))) != nil || writeFrame(w.w, []byte(name)) != nil || writeFrame(w.w, []byte(text)) != nil || w.w.Flush() != nil {
		return dead
	}
	kind, err := w.r.ReadByte()
	if err != nil {
		return dead
	}
	body, err := readFrame(w.r)
	if err != nil {
		return dead
	}
	switch kind {
	case answerTree:
		root, err := facts.Decode(body)
		return answer{root: root, err: err, died: err != nil}
	case answerError:
		return answer{err: errors.New(string(body))}
	}
	return dead
}
