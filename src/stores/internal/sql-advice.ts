/** For any database: what a missing table needs. The old table of another package is not made here. */
export const NO_SUCH_TABLE =
  ': no such table. Run migrate(), or the SQL of schema(). That of option fallback is not made so.'

export const OTHER_COLUMNS =
  ': the table has other columns. Is it of another package? Option table chooses another.'
