package openai

import (
	"bytes"
	"errors"
	"io"

	"claviger.dev/claviger"
)

// Frame is one server-sent event. Its slices are good until the next call of
// Next.
type Frame struct {
	// Event is the event's name, empty for the default.
	Event []byte
	// Data is what its data lines held, joined by line feeds.
	Data []byte
}

// How much is read ahead, in bytes. A stream that waits for one event after the
// other takes the first; one whose events come faster than they are read has
// the second. More is for larger events alone.
const (
	firstBuffer = 1 << 10
	fastBuffer  = 4 << 10
)

// FrameReader reads server-sent events as the WHATWG's EventSource does: lines
// end in LF, CR or CRLF, a byte order mark at the start is skipped, comments
// and unknown fields are ignored, and an event that no blank line ends is none.
type FrameReader struct {
	r   io.Reader
	max int
	buf []byte
	// frame is where the event that is being read begins, pos the line that is
	// read next, and scan how far that line was searched for its end.
	frame, pos, scan int
	// event and data are the fields so far, as offsets from frame.
	event, data span
	// late is the event's name where data would grow over it.
	late    []byte
	hasData bool
	begun   bool // a field was read: the end of input cuts an event
	skipLF  bool // the last line ended in CR
	started bool // a byte order mark can no longer come
	ready   bool
	full    bool // the last read filled the buffer: more was there
	err     error
}

// span is a part of the buffer.
type span struct{ from, to int }

// NewFrameReader reads events of at most maxFrame bytes, fields and line ends
// included.
func NewFrameReader(r io.Reader, maxFrame int) *FrameReader {
	return &FrameReader{r: r, max: maxFrame}
}

var errFrame = errors.New("an event is larger than the limit")

// Next returns the next event that has data. The error is io.EOF at a clean end
// between events, io.ErrUnexpectedEOF inside one, a *claviger.Error with
// CodeUpstreamError for an event over the limit, or that of the reader.
func (f *FrameReader) Next() (Frame, error) {
	for !f.ready {
		if f.parse() {
			break
		}
		if err := f.fill(); err != nil {
			return Frame{}, err
		}
	}
	if f.pos-f.frame > f.max {
		return Frame{}, &claviger.Error{Code: claviger.CodeUpstreamError, Err: errFrame}
	}
	f.ready = false
	out := Frame{Event: f.cut(f.event), Data: f.cut(f.data)}
	if f.late != nil {
		out.Event = f.late
	}
	f.event, f.late, f.data, f.hasData, f.begun = span{}, nil, span{}, false, false
	f.frame = f.pos
	return out, nil
}

// Buffered reports whether the next event is there already, so that Next will
// not wait.
func (f *FrameReader) Buffered() bool {
	if !f.ready {
		f.ready = f.parse()
	}
	return f.ready
}

func (f *FrameReader) cut(s span) []byte { return f.buf[f.frame+s.from : f.frame+s.to] }

// parse reads the lines that are there, to the end of an event with data.
func (f *FrameReader) parse() bool {
	if !f.start() {
		return false
	}
	for {
		line, ok := f.line()
		if !ok {
			return false
		}
		if line.from < line.to {
			f.field(line)
			continue
		}
		if f.hasData {
			return true
		}
		f.event, f.late, f.begun = span{}, nil, false
		f.frame = f.pos
	}
}

// start skips a byte order mark. It reports false while more is needed to tell.
func (f *FrameReader) start() bool {
	const mark = "\ufeff"
	if f.started {
		return true
	}
	have := f.buf[f.pos:]
	if len(have) < len(mark) && f.err == nil && bytes.HasPrefix([]byte(mark), have) {
		return false
	}
	if bytes.HasPrefix(have, []byte(mark)) {
		f.pos += len(mark)
		f.frame, f.scan = f.pos, f.pos
	}
	f.started = true
	return true
}

// line takes the next whole line, without its end.
func (f *FrameReader) line() (span, bool) {
	if f.skipLF && f.pos < len(f.buf) {
		f.skipLF = false
		if f.buf[f.pos] == '\n' {
			if f.frame == f.pos {
				f.frame++
			}
			f.pos++
			f.scan = max(f.scan, f.pos)
		}
	}
	n := lineEnd(f.buf[f.scan:])
	if n < 0 {
		f.scan = len(f.buf)
		return span{}, false
	}
	end := f.scan + n
	s := span{f.pos, end}
	f.skipLF = f.buf[end] == '\r'
	f.pos = end + 1
	f.scan = f.pos
	return s, true
}

// lineEnd finds the first LF or CR.
func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if cr := bytes.IndexByte(b[:n], '\r'); cr >= 0 {
		return cr
	}
	return n
}

// field reads one line that is not blank.
func (f *FrameReader) field(s span) {
	line := f.buf[s.from:s.to]
	if line[0] == ':' {
		if !f.begun {
			f.frame = f.pos
		}
		return
	}
	f.begun = true
	name, from := line, s.to
	if n := bytes.IndexByte(line, ':'); n >= 0 {
		name, from = line[:n], s.from+n+1
		if from < s.to && f.buf[from] == ' ' {
			from++
		}
	}
	value := span{from - f.frame, s.to - f.frame}
	switch string(name) {
	case "event":
		f.event, f.late = value, nil
	case "data":
		f.addData(value)
	}
}

// addData appends a data line. Further lines are moved up behind the first,
// which the field names between them make room for.
func (f *FrameReader) addData(value span) {
	if !f.hasData {
		f.data, f.hasData = value, true
		return
	}
	if f.event.from >= f.data.to {
		f.late = bytes.Clone(f.cut(f.event))
	}
	at := f.frame + f.data.to
	f.buf[at] = '\n'
	n := copy(f.buf[at+1:], f.cut(value))
	f.data.to += 1 + n
}

// fill reads more, after what was used is moved out of the way.
func (f *FrameReader) fill() error {
	if f.err != nil {
		return f.ended()
	}
	if len(f.buf)-f.frame > f.max {
		return &claviger.Error{Code: claviger.CodeUpstreamError, Err: errFrame}
	}
	if f.frame > 0 {
		n := copy(f.buf, f.buf[f.frame:])
		f.buf = f.buf[:n]
		f.pos -= f.frame
		f.scan -= f.frame
		f.frame = 0
	}
	switch {
	case f.full && cap(f.buf) < fastBuffer:
		f.grow(fastBuffer)
	case len(f.buf) == cap(f.buf):
		f.grow(max(2*cap(f.buf), firstBuffer))
	}
	return f.read()
}

func (f *FrameReader) grow(size int) {
	grown := make([]byte, len(f.buf), size)
	copy(grown, f.buf)
	f.buf = grown
}

// maxEmptyReads is how often a reader may give nothing at a time.
const maxEmptyReads = 100

func (f *FrameReader) read() error {
	for range maxEmptyReads {
		n, err := f.r.Read(f.buf[len(f.buf):cap(f.buf)])
		f.buf = f.buf[:len(f.buf)+n]
		f.full = len(f.buf) == cap(f.buf)
		f.err = err
		switch {
		case n > 0:
			return nil
		case err != nil:
			return f.ended()
		}
	}
	return io.ErrNoProgress
}

// ended says how the input ended.
func (f *FrameReader) ended() error {
	if !errors.Is(f.err, io.EOF) {
		return f.err
	}
	f.start()
	if f.begun || f.pos < len(f.buf) && !f.trailingLF() {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// trailingLF reports whether all that is left is the second half of a CRLF.
func (f *FrameReader) trailingLF() bool {
	return f.skipLF && len(f.buf)-f.pos == 1 && f.buf[f.pos] == '\n'
}
