package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/record"
)

// mostExport bounds what 'records open' reads.
const mostExport = 4 << 30

// sealedRow is a sealed transcript in an export, with its key.
type sealedRow struct {
	ID         string    `json:"id"`
	Key        string    `json:"key"`
	Created    time.Time `json:"created"`
	Until      time.Time `json:"until"`
	Sealed     []byte    `json:"sealed"`
	KeyCreated time.Time `json:"key_created"`
	KeyUntil   time.Time `json:"key_until"`
	KeySealed  []byte    `json:"key_sealed"`
}

func sealedJSON(t *claviger.SealedTranscript, k *claviger.TranscriptKey) jsonx.Value {
	at := func(name string, v time.Time) jsonx.Member {
		return jsonx.Member{Name: name, Value: jsonx.String(v.UTC().Format(time.RFC3339Nano))}
	}
	data := func(name string, v []byte) jsonx.Member {
		return jsonx.Member{Name: name, Value: jsonx.String(base64.StdEncoding.EncodeToString(v))}
	}
	return jsonx.Object(
		jsonx.Member{Name: "id", Value: jsonx.String(t.ID)}, jsonx.Member{Name: "key", Value: jsonx.String(t.Key)},
		at("created", t.Created), at("until", t.Until), data("sealed", t.Sealed),
		at("key_created", k.Created), at("key_until", k.Until), data("key_sealed", k.Sealed),
	)
}

// row gives back what sealedJSON wrote.
func (r *sealedRow) row(owner string) (claviger.SealedTranscript, claviger.TranscriptKey) {
	t := claviger.SealedTranscript{ID: r.ID, Owner: owner, Key: r.Key, Created: r.Created, Until: r.Until, Sealed: r.Sealed}
	k := claviger.TranscriptKey{ID: r.Key, Created: r.KeyCreated, Until: r.KeyUntil, Sealed: r.KeySealed}
	return t, k
}

// reader opens transcripts and counts those that it could not open.
type reader struct {
	*record.Opener
	failed int
}

// openIdentity reads an identity file.
func openIdentity(env Environment, path string) (*reader, error) {
	data, err := os.ReadFile(absolute(env, path))
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	defer clear(data)
	o, err := record.NewOpener(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	return &reader{Opener: o}, nil
}

// read is an opened transcript as it is printed, or why it does not open.
func (r *reader) read(t claviger.SealedTranscript, k claviger.TranscriptKey) jsonx.Value {
	text := func(name, v string) jsonx.Member { return jsonx.Member{Name: name, Value: jsonx.String(v)} }
	head := []jsonx.Member{
		text("id", t.ID), text("created", t.Created.UTC().Format(time.RFC3339Nano)), text("until", t.Until.UTC().Format(time.RFC3339Nano)),
	}
	o, err := r.Open(t, k)
	if err != nil {
		r.failed++
		return jsonx.Object(append(head, text("error", err.Error()))...)
	}
	return jsonx.Object(append(head,
		text("realm", o.Realm), text("plan", o.Plan), text("endpoint", string(o.Endpoint)), text("action", o.Action), text("model", o.Model),
		text("prompt", string(o.Prompt)), jsonx.Member{Name: "prompt_cut", Value: jsonx.Bool(o.PromptCut)},
		text("answer", string(o.Answer)), jsonx.Member{Name: "answer_cut", Value: jsonx.Bool(o.AnswerCut)},
	)...)
}

func (r *reader) err() error {
	if r == nil || r.failed == 0 {
		return nil
	}
	return badUsage(fmt.Errorf("%d transcripts could not be opened; each says why", r.failed))
}

// writeTranscripts prints the transcripts of a person as a list, one a line, opened
// where r is not nil.
func writeTranscripts(ctx context.Context, w io.Writer, d *database, owner string, r *reader) error {
	separator := ""
	return d.EachTranscript(ctx, owner, time.Now(), func(t claviger.SealedTranscript, k claviger.TranscriptKey) error {
		var v jsonx.Value
		if r != nil {
			v = r.read(t, k)
		} else {
			v = sealedJSON(&t, &k)
		}
		_, err := fmt.Fprintf(w, "%s\n%s", separator, jsonx.Append(nil, v))
		separator = ","
		return err
	})
}

type recordsOpen struct {
	Identity string `help:"The age identity of a recipient, as age-keygen writes it. It belongs on no machine that runs a gateway." required:"" placeholder:"FILE"`
	Export   string `arg:"" optional:"" help:"What 'records export' printed; - or nothing for standard input." placeholder:"EXPORT"`
}

// Run prints an export with its transcripts opened.
func (c recordsOpen) Run(_ context.Context, env Environment) error {
	r, err := openIdentity(env, c.Identity)
	if err != nil {
		return badUsage(err)
	}
	data, err := c.read(env)
	if err != nil {
		return badUsage(err)
	}
	doc, err := jsonx.Parse(data)
	if err != nil {
		return badUsage(fmt.Errorf("this is nothing that 'claviger records export' printed: %w", err))
	}
	owner, _ := doc.Get("pseudonym")
	list, there := doc.Get("transcripts")
	if !there || owner.Str() == "" {
		return badUsage(errors.New("this is nothing that 'claviger records export' printed: it has no transcripts or no pseudonym"))
	}
	opened := make([]jsonx.Value, 0, list.Len())
	for i, x := range list.Elems() {
		var row sealedRow
		if err := jsonx.Unmarshal(jsonx.Append(nil, x), &row); err != nil {
			return badUsage(fmt.Errorf("transcript %d is not sealed as 'claviger records export' prints it", i))
		}
		opened = append(opened, r.read(row.row(owner.Str())))
	}
	members := doc.Members()
	for i := range members {
		if members[i].Name == "transcripts" {
			members[i].Value = jsonx.Array(opened...)
		}
	}
	if _, err := fmt.Fprintf(env.Stdout, "%s\n", jsonx.Append(nil, jsonx.Object(members...))); err != nil {
		return err
	}
	return r.err()
}

func (c recordsOpen) read(env Environment) ([]byte, error) {
	in := env.Stdin
	if c.Export != "" && c.Export != "-" {
		f, err := os.Open(absolute(env, c.Export))
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, mostExport+1))
	if err == nil && len(data) > mostExport {
		err = errors.New("the export is longer than 4 GiB")
	}
	return data, err
}
