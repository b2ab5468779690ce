package facts

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
	"github.com/grafana/sobek/file"
	"github.com/grafana/sobek/parser"
)

// jsxCall and jsxFragment stand for JSX in the lowered text.
const (
	jsxCall     = "__claviger_jsx"
	jsxFragment = "__claviger_fragment"
)

// lowered are the parts of the language that the second parser does not know,
// so that the first writes them in older words.
var lowered = map[string]bool{
	"for-await": false, "async-generator": false, "using": false, "decorators": false, "import-attributes": false,
}

// pragma is how a file chooses its own words for JSX, which would hide it.
var pragma = regexp.MustCompile(`@jsx(Frag|Runtime|ImportSource)?\s+\S+`)

// Parse reads a module. The name decides the language by its suffix. An error
// says where the text is not of that language, and quotes none of it.
func Parse(name, text string) (*Node, error) {
	text = script(name, text)
	if strings.Contains(text, "@jsx") {
		text = pragma.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat(" ", len(s)) })
	}
	res := api.Transform(text, api.TransformOptions{
		Loader: loader(name, text), Target: api.ESNext, Supported: lowered, Sourcemap: api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude, JSX: api.JSXTransform, JSXFactory: jsxCall, JSXFragment: jsxFragment,
		JSXSideEffects: true, LogLevel: api.LogLevelSilent, LegalComments: api.LegalCommentsNone, TsconfigRaw: `{"compilerOptions":{"experimentalDecorators":true}}`, LogLimit: 1,
	})
	if len(res.Errors) > 0 {
		if l := res.Errors[0].Location; l != nil {
			return nil, fmt.Errorf("line %d, column %d: this is not what the language has here", l.Line, l.Column+1)
		}
		return nil, errors.New("this is not the language that the name says")
	}
	code := string(res.Code)
	program, err := parser.ParseFile(nil, "", code, 0, parser.IsModule, parser.WithDisableSourceMaps)
	if err != nil && !bearable(err) {
		// A script that is no module has words that modules forbid.
		if program, err = parser.ParseFile(nil, "", code, 0, parser.WithDisableSourceMaps); err != nil {
			return nil, errors.New("the lowered text could not be read")
		}
	}
	if len(program.Body) == 0 {
		return &Node{Kind: Program, Line: 1, Col: 1}, nil
	}
	places, err := sourcemap.Parse("", res.Map)
	if err != nil {
		return nil, errors.New("the lowered text has no way back")
	}
	l := lowering{lines: lineStarts(code), places: places, last: 1}
	root := l.program(program)
	if l.deep {
		return nil, fmt.Errorf("nested deeper than %d levels", MaxDepth)
	}
	return root, nil
}

// bearable reports whether the second parser only refuses what the language has
// since it was written, and has read on.
func bearable(err error) bool {
	list, ok := errors.AsType[parser.ErrorList](err)
	for _, e := range list {
		if e.Message != "Illegal await-expression in formal parameters of async function" && e.Message != "dynamic import requires exactly one argument" {
			return false
		}
	}
	return ok
}

func loader(name, text string) api.Loader {
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".tsx":
		return api.LoaderTSX
	case ".vue", ".svelte", ".astro":
		return api.LoaderTS
	}
	if strings.Contains(text, "@flow") {
		return api.LoaderTSX
	}
	return api.LoaderJSX
}

// script leaves of a component file what is code, each line at its place.
func script(name, text string) string {
	switch path.Ext(name) {
	case ".vue", ".svelte":
	case ".astro":
		if head, ok := strings.CutPrefix(text, "---"); ok {
			if before, _, ok := strings.Cut(head, "\n---"); ok {
				return "   " + before
			}
		}
	default:
		return text
	}
	var b strings.Builder
	rest := text
	for {
		open := strings.Index(rest, "<script")
		if open < 0 {
			break
		}
		start := strings.IndexByte(rest[open:], '>')
		if start < 0 {
			break
		}
		start += open + 1
		end := strings.Index(rest[start:], "</script")
		if end < 0 {
			end = len(rest) - start
		}
		b.WriteString(blank(rest[:start]))
		b.WriteString(rest[start : start+end])
		rest = rest[start+end:]
	}
	return b.String()
}

func blank(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, s)
}

func lineStarts(code string) []int {
	starts := []int{0}
	for i := 0; i < len(code); {
		n := strings.IndexByte(code[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		starts = append(starts, i)
	}
	return starts
}

// at is the place in the written text of an index of the lowered one.
func (l *lowering) at(idx file.Idx) (line, col int32) {
	offset := int(idx) - 1
	lo, hi := 0, len(l.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; l.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	_, _, oline, ocol, ok := l.places.Source(lo+1, max(0, offset-l.lines[lo]))
	if !ok {
		return l.last, 1
	}
	l.last = int32(oline)
	return int32(oline), int32(ocol) + 1
}
