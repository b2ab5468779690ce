// Package worker parses files in a process of its own, because a file can be
// made that ends the parser's process or keeps it busy for ever, and no part of
// Go stops that from within. The process is the same binary, started with Arg.
// It gets no environment and opens no file: texts come in, trees go out, each
// behind its length, so nothing that stands in a text can look like an answer.
package worker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"claviger.dev/claviger/internal/check/facts"
)

// Arg is the one argument that makes the binary a worker. Whoever owns main
// calls Serve when it is the only one.
const Arg = "__check-worker"

// maxStack and maxMemory bound a worker, in bytes. Past them it ends, and the
// file counts as one that could not be parsed.
const (
	maxStack  = 64 << 20
	maxMemory = 1 << 30
)

// ballastSize is how much a worker asks for and never touches, in bytes, so
// that it takes no memory. The collector runs when the heap has tripled, and
// without it that is after every few small files.
const ballastSize = 24 << 20

// maxFrame bounds one text or one tree on the wire, in bytes.
const maxFrame = 64 << 20

const (
	answerTree byte = iota + 1
	answerError
)

// Serve answers until in ends. It returns nil then, and an error when the other
// side breaks the protocol.
func Serve(in io.Reader, out io.Writer) error {
	debug.SetMaxStack(maxStack)
	debug.SetGCPercent(200)
	ballast := make([]byte, ballastSize)
	defer runtime.KeepAlive(ballast)
	stop := make(chan struct{})
	defer close(stop)
	var late deadline
	go watch(stop, &late)
	r, w := bufio.NewReaderSize(in, 64<<10), bufio.NewWriterSize(out, 64<<10)
	for {
		limit, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || len(limit) != 8 {
			return errors.Join(errors.New("a file came without its deadline"), err)
		}
		name, err := readFrame(r)
		if err != nil {
			return err
		}
		text, err := readFrame(r)
		if err != nil {
			return err
		}
		late.begin(time.Duration(binary.BigEndian.Uint64(limit)))
		kind, body := answerTree, []byte(nil)
		if root, err := parse(string(name), string(text)); err != nil {
			kind, body = answerError, []byte(err.Error())
		} else {
			body = facts.Encode(root)
		}
		late.over()
		if err := w.WriteByte(kind); err != nil {
			return err
		}
		if err := writeFrame(w, body); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

// parse keeps a parser's panic from ending the process, where that can be done.
func parse(name, text string) (root *facts.Node, err error) {
	defer func() {
		if recover() != nil {
			root, err = nil, errors.New("the parser gave up")
		}
	}()
	return facts.Parse(name, text)
}

// deadline is the processor time of this process at which the file in work has
// had enough, in nanoseconds, and 0 between files.
type deadline struct{ at atomic.Int64 }

func (d *deadline) begin(limit time.Duration) { d.at.Store(int64(processorTime() + limit)) }
func (d *deadline) over()                     { d.at.Store(0) }

func (d *deadline) passed() bool {
	at := d.at.Load()
	return at != 0 && int64(processorTime()) > at
}

// exitLate is how a worker ends when a file takes too much of the processor.
// Go itself ends with 1 or 2.
const exitLate = 7

// watch ends the process when it takes too much memory, or a file too much time.
func watch(stop <-chan struct{}, late *deadline) {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			metrics.Read(sample)
			if sample[0].Value.Uint64()-sample[1].Value.Uint64() > maxMemory {
				panic("a file takes more memory than a worker may have")
			}
			if late.passed() {
				os.Exit(exitLate) //nolint:forbidigo // nothing else stops a parser, and this process is the worker alone
			}
		}
	}
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, errors.New("a frame is longer than any may be")
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

func writeFrame(w *bufio.Writer, b []byte) error {
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(b)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}
