package check

import (
	"errors"

	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/jsonx"
)

// maxBaseline is the largest baseline that is read, in bytes.
const maxBaseline = 64 << 20

// ReadBaseline reads the fingerprints of known findings from a file that an
// earlier check wrote with --format json.
func ReadBaseline(path string) (map[string]bool, error) {
	text, err := files.Read(path, maxBaseline)
	if err != nil {
		return nil, err
	}
	v, err := jsonx.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	list, ok := v.Get("findings")
	if !ok || list.Kind() != jsonx.KindArray {
		return nil, errors.New("it has no findings: a baseline is what 'claviger check --format json' prints")
	}
	known := map[string]bool{}
	for _, f := range list.Elems() {
		if p, ok := f.Get("fingerprint"); ok && p.Kind() == jsonx.KindString && p.Str() != "" {
			known[p.Str()] = true
			continue
		}
		return nil, errors.New("a finding in it has no fingerprint: a baseline is what 'claviger check --format json' prints")
	}
	return known, nil
}
