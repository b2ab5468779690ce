package openai

import (
	"slices"

	"claviger.dev/claviger"
)

// calledTool is a hosted tool whose calls are paid for.
type calledTool uint8

const (
	notCalled calledTool = iota
	calledWebSearch
	calledFileSearch
	calledInterpreter
	calledImage
	calledTools
)

var calledNames = [calledTools]string{
	calledWebSearch: "web_search", calledFileSearch: "file_search", calledInterpreter: "code_interpreter", calledImage: "image_generation",
}

// toolType says that an item is a call of a hosted tool.
func toolType(tool calledTool, t answerType) answerType {
	t.called = tool
	return t
}

// withTools gives the units with the calls of hosted tools that the answer tells
// of. Both searches on the web tell of their calls by one name: where the dearer one
// was brought, they count as that.
func (b *rebuild) withTools(r *Request) claviger.Units {
	u := b.units
	for tool, n := range b.called {
		name := calledNames[tool]
		if n == 0 || name == "" {
			continue
		}
		if calledTool(tool) == calledWebSearch && slices.ContainsFunc(r.tools, func(t broughtTool) bool { return t.kind == webSearchPreviewKind }) {
			name = webSearchPreviewKind
		}
		u = append(u, claviger.Unit{Kind: claviger.ToolCalls(name), Amount: n})
	}
	return u
}

const webSearchPreviewKind = "web_search_preview"
