package gateway

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// maxFieldText is the most bytes of one field of a form with files.
const maxFieldText = 256 << 10

// takesFiles reports whether the route takes multipart bodies with files.
func (x *exchange) takesFiles() bool {
	return x.route != nil && x.route.row != nil && x.route.row.TakesFiles()
}

// readParts reads a form with files, each of which is kept in the pieces in
// which it came. The whole is bounded by MaxUpload, and what all callers upload
// at once by the memory for it.
func (x *exchange) readParts(boundary string) ([]openai.Part, error) {
	if boundary == "" {
		return nil, unsupported([]string{typeMultipart})
	}
	limit := max(x.s.MaxUpload, x.s.MaxBody)
	if err := x.reserveUpload(limit); err != nil {
		return nil, err
	}
	x.bodyRead = true
	if err := x.setReadDeadline(time.Now().Add(x.g.options.BodyTimeout)); err != nil {
		return nil, err
	}
	parts, err := gatherParts(multipart.NewReader(http.MaxBytesReader(x.w, x.r.Body, limit), boundary))
	if err != nil {
		return nil, err
	}
	return parts, x.setReadDeadline(noDeadline)
}

// reserveUpload takes what the body declares, or the limit, from the memory for
// uploads, until the request ends.
func (x *exchange) reserveUpload(limit int64) error {
	size := x.r.ContentLength
	if size < 0 {
		size = limit
	}
	if x.g.uploads.Add(size) > x.g.options.UploadMemory {
		x.g.uploads.Add(-size)
		return &claviger.Error{
			Code: claviger.CodeTooManyInFlight, RetryAfter: time.Second,
			Err: errors.New("the memory for uploads is used up"),
		}
	}
	x.uploading = size
	return nil
}

func (x *exchange) setReadDeadline(t time.Time) error {
	if err := x.rc.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &claviger.Error{Code: claviger.CodeInternal, Err: err}
	}
	return nil
}

func gatherParts(mr *multipart.Reader) ([]openai.Part, error) {
	parts := []openai.Part{}
	for {
		part, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, formError(err)
		}
		if len(parts) == maxFormFields || part.FormName() == "" || part.Header.Get("Content-Transfer-Encoding") != "" {
			return nil, errForm
		}
		p := openai.Part{Name: part.FormName()}
		if part.FileName() != "" {
			p.File, err = gatherFile(part)
		} else {
			p.Text, err = gatherField(part)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

var errForm = &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "Invalid form"}

// formError tells a body that is too long or late from one that is no form.
func formError(err error) error {
	e := bodyError(err)
	if c, ok := errors.AsType[*claviger.Error](e); ok && c.Code == claviger.CodeInvalidInput {
		return errForm
	}
	return e
}

func gatherField(part *multipart.Part) (string, error) {
	b, err := io.ReadAll(io.LimitReader(part, maxFieldText+1))
	if err != nil {
		return "", formError(err)
	}
	if len(b) > maxFieldText {
		return "", &claviger.Error{Code: claviger.CodeTooLarge}
	}
	return string(b), nil
}

func gatherFile(part *multipart.Part) (*openai.File, error) {
	f := &openai.File{Name: part.FileName(), Type: part.Header.Get("Content-Type")}
	piece := make([]byte, 0, firstPiece)
	for {
		n, err := part.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		f.Size += int64(n)
		if errors.Is(err, io.EOF) {
			f.Content = append(f.Content, piece)
			return f, nil
		}
		if err != nil {
			return nil, formError(err)
		}
		if len(piece) == cap(piece) {
			f.Content = append(f.Content, piece)
			piece = make([]byte, 0, min(2*cap(piece), mostPiece))
		}
	}
}
