package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
)

const (
	typeJSON      = "application/json"
	typeForm      = "application/x-www-form-urlencoded"
	typeMultipart = "multipart/form-data"
	maxFormFields = 64
)

// mediaType is the media type of the request's body, refused when there is
// none, more than one, a content coding, or JSON in anything but UTF-8.
func (x *exchange) mediaType(allowed ...string) (kind string, params map[string]string, err error) {
	sent := x.r.Header["Content-Type"]
	if len(x.r.Header["Content-Encoding"]) > 0 || len(sent) != 1 {
		return "", nil, unsupported(allowed)
	}
	kind, params, err = mime.ParseMediaType(sent[0])
	if err != nil {
		return "", nil, unsupported(allowed)
	}
	for _, a := range allowed {
		if charset := params["charset"]; kind == a && (charset == "" || strings.EqualFold(charset, "utf-8")) {
			return kind, params, nil
		}
	}
	return "", nil, unsupported(allowed)
}

func unsupported(allowed []string) error {
	return &claviger.Error{
		Code:   claviger.CodeUnsupportedMediaType,
		Detail: "Send " + strings.Join(allowed, " or ") + " without a content encoding",
	}
}

// readBody reads the whole body, at most MaxBody bytes of it, within the time
// for bodies. It is read whole before anything goes upstream: a body that is
// streamed while the answer is written loses answers (golang.org/issue/15527 and
// its kin), and what is forwarded must be what was checked.
func (x *exchange) readBody() ([]byte, error) {
	x.bodyRead = true
	if err := x.setReadDeadline(time.Now().Add(x.g.options.BodyTimeout)); err != nil {
		return nil, err
	}
	limited := http.MaxBytesReader(x.w, x.r.Body, x.s.MaxBody)
	body, err := gather(limited, x.r.ContentLength)
	if err != nil {
		return nil, bodyError(err)
	}
	return body, x.setReadDeadline(noDeadline)
}

// The sizes of the pieces in which a body is read, in bytes.
const (
	firstPiece = 4 << 10
	mostPiece  = 256 << 10
)

// gather reads to the end, in pieces that are joined there: a body that turns
// out to be too long has taken no more memory than the limit, and one that only
// declares a length takes none for what has not come.
func gather(r io.Reader, declared int64) ([]byte, error) {
	size := int64(firstPiece)
	if declared >= 0 {
		size = declared + 1 // one more, so that the end is seen without another piece
	}
	var pieces [][]byte
	piece := make([]byte, 0, min(size, mostPiece))
	for {
		n, err := r.Read(piece[len(piece):cap(piece)])
		piece = piece[:len(piece)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(piece) == cap(piece) {
			pieces = append(pieces, piece)
			piece = make([]byte, 0, min(2*cap(piece), mostPiece))
		}
	}
	if pieces == nil {
		return piece, nil
	}
	return slices.Concat(append(pieces, piece)...), nil
}

func bodyError(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &claviger.Error{Code: claviger.CodeTooLarge, Err: err}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &claviger.Error{Code: claviger.CodeRequestTimeout, Err: err}
	}
	return &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "The body ended early", Err: err}
}

// readForm reads the fields of a form. Files are refused.
func (x *exchange) readForm(kind, boundary string) (map[string][]string, error) {
	body, err := x.readBody()
	if err != nil {
		return nil, err
	}
	invalid := &claviger.Error{Code: claviger.CodeInvalidInput, Detail: "Invalid form"}
	if kind == typeForm {
		form, err := url.ParseQuery(string(body))
		if err != nil || len(form) > maxFormFields {
			return nil, invalid
		}
		return form, nil
	}
	form := map[string][]string{}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxFormFields {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil || part.FormName() == "" || part.FileName() != "" {
			return nil, invalid
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, invalid
		}
		form[part.FormName()] = append(form[part.FormName()], string(value))
	}
	return nil, invalid
}
