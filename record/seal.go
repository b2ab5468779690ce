package record

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// keyTime is how long one key is sealed by: what has ended is unreadable that much
// later at most, wherever copies of it lie.
const keyTime = time.Hour

// What transcripts are sealed with: HPKE (RFC 9180) to a key that also holds
// against computers that do not exist yet.
var (
	kem  = hpke.MLKEM768X25519()
	kdf  = hpke.HKDFSHA256()
	aead = hpke.AES256GCM()
)

// sealer seals the transcripts of an hour. It holds the public half of the hour's
// key alone.
type sealer struct {
	by     *policy
	key    claviger.TranscriptKey
	end    time.Time
	public hpke.PublicKey
}

// newSealer makes the key of an hour. Its private half is sealed to the recipients
// and forgotten.
func newSealer(by *policy, now time.Time) (*sealer, error) {
	begin := now.Truncate(keyTime)
	s := &sealer{by: by, end: begin.Add(keyTime)}
	s.key = claviger.TranscriptKey{ID: "key_" + rand.Text(), Created: begin, Until: s.end.Add(by.Transcripts.Time)}
	private, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("record: make a key: %w", err)
	}
	seed, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("record: make a key: %w", err)
	}
	defer clear(seed)
	s.public = private.PublicKey()
	s.key.Sealed, err = sealTo(by.recipients, append(keyContext(&s.key), seed...))
	return s, err
}

// sealTo seals to recipients of age.
func sealTo(recipients []age.Recipient, plain []byte) ([]byte, error) {
	defer clear(plain)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipients...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("record: seal to the recipients: %w", err)
	}
	return out.Bytes(), nil
}

func (s *sealer) seal(t *claviger.Transcript) (claviger.SealedTranscript, error) {
	out := claviger.SealedTranscript{
		ID: t.RequestID, Owner: t.Subject, Key: s.key.ID,
		Created: t.Started.UTC().Truncate(time.Microsecond), Until: t.Started.Add(s.by.Transcripts.Time).UTC().Truncate(time.Microsecond),
	}
	plain := encode(t)
	defer clear(plain)
	var err error
	if out.Sealed, err = hpke.Seal(s.public, kdf, aead, transcriptContext(&out), plain); err != nil {
		return out, fmt.Errorf("record: seal: %w", err)
	}
	return out, nil
}

// transcriptContext binds a sealed transcript to its row: moved to another owner,
// id, key or time it does not open.
func transcriptContext(t *claviger.SealedTranscript) []byte {
	return bind("claviger transcript 1", t.Created, t.Until, t.Key, t.Owner, t.ID)
}

// keyContext does so for a key.
func keyContext(k *claviger.TranscriptKey) []byte {
	return bind("claviger transcript key 1", k.Created, k.Until, k.ID)
}

// bind writes its parts so that no two lists of them are alike.
func bind(what string, created, until time.Time, parts ...string) []byte {
	b := append([]byte(what), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(created.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(until.UnixMicro()))
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// said is a transcript as it is sealed.
type said struct {
	Realm     string `json:"realm"`
	Plan      string `json:"plan"`
	Endpoint  string `json:"endpoint"`
	Action    string `json:"action"`
	Model     string `json:"model"`
	Prompt    string `json:"prompt"`
	PromptCut bool   `json:"prompt_cut"`
	Answer    string `json:"answer"`
	AnswerCut bool   `json:"answer_cut"`
}

func encode(t *claviger.Transcript) []byte {
	b := make([]byte, 0, len(t.Prompt)+len(t.Answer)+512)
	b = append(b, '{')
	text := func(name, value string) {
		b = append(b, '"')
		b = append(append(b, name...), '"', ':')
		b = append(jsonx.AppendString(b, strings.ToValidUTF8(value, "\uFFFD")), ',')
	}
	text("realm", t.Realm)
	text("plan", t.Plan)
	text("endpoint", string(t.Endpoint))
	text("action", t.Action)
	text("model", t.Model)
	text("prompt", string(t.Prompt))
	text("answer", string(t.Answer))
	return fmt.Appendf(b, `"prompt_cut":%t,"answer_cut":%t}`, t.PromptCut, t.AnswerCut)
}

var errRecipient = errors.New("is no recipient of age: it reads age1…, as 'age-keygen -y FILE' prints it")

// parseRecipients reads recipients, and seals to them once, so that those which do
// not go together are found now.
func parseRecipients(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, errors.New("there is no recipient, so nobody could read what is kept")
	}
	out := make([]age.Recipient, 0, len(list))
	for i, s := range list {
		r, err := age.ParseRecipients(strings.NewReader(s))
		if err != nil || len(r) != 1 {
			// The text is not repeated: it may be an identity.
			return nil, &RecipientError{Index: i, Err: errRecipient}
		}
		out = append(out, r[0])
	}
	if _, err := sealTo(out, []byte("a trial")); err != nil {
		return nil, fmt.Errorf("the recipients do not go together: write those of one kind, age1… or age1pq1…: %w", err)
	}
	return out, nil
}

// RecipientError is what is wrong with one recipient of a list. It does not repeat
// the recipient.
type RecipientError struct {
	Index int
	Err   error
}

// Error implements error.
func (e *RecipientError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *RecipientError) Unwrap() error { return e.Err }

// CheckRecipients says what is wrong with recipients, of one as a *RecipientError.
func CheckRecipients(list []string) error {
	_, err := parseRecipients(list)
	return err
}
