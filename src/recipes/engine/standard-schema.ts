/**
 * The part of Standard Schema (version 1) that is needed to validate values: what Zod, Valibot, ArkType and others
 * implement, so that none of them is a dependency.
 *
 * Source    https://standardschema.dev
 */

/** A schema of any library that follows Standard Schema. */
export interface StandardSchema<Output> {
  /** The common face of schemas. */
  readonly '~standard': {
    /** The version of the specification. */
    readonly version: 1
    /** The library. */
    readonly vendor: string
    /** Validates an unknown value; the result may come later. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** Types only; never there at run time. */
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

/** The result of a validation: a value, or issues. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  /** A sentence for people. */
  readonly message: string
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
