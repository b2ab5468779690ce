// The one thing of the client that generated types add to.
export interface Actions {}
